// A worker process of the proof of upgrades, of an old release or of today's code; tells its parent when it is ready. SIGTERM stops it.
// usage: node --import tsx test/programs/upgrade-worker.ts '{"database": "postgres://…", "release": "0033"}'
import { startWorker } from '../../src/worker/worker.ts'
import { todaysCode } from '../upgrade/story.ts'
import { openRelease } from '../upgrade/release.ts'
import { steady } from '../upgrade/steady.ts'

const { database, release } = JSON.parse(process.argv[2] ?? '{}') as {
  database: string
  release: string | null
}
const opened = release === null ? undefined : await openRelease(release)
const code = opened?.code ?? todaysCode
const worker = await (opened?.code.startWorker ?? startWorker)({
  database,
  slots: 50,
  pipelines: [steady(code)],
})
await opened?.close()
process.send?.({ worker: worker.id })
process.once('SIGTERM', () => void worker.stop().then(() => process.exit(0)))
process.once('disconnect', () => process.exit(1))
