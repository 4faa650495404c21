// One of two revisions that are compared, in a process of its own: measures a figure whenever it has the turn, and tells its rows.
// BENCH_PRODUCT: the folder of the revision. BENCH_SIDE: the JSON of {serverUrl, quick, figure}.
import { once } from 'node:events'
import { benchOf } from './bench.ts'
import { figures } from './all-figures.ts'
import type { Outcome } from './comparison.ts'
import { judge } from './report.ts'
import { shareTurns } from './turn.ts'

/** What a side tells: that its round is over, and in the end what it measured, or why it can't. */
export type Told = 'round' | Outcome

const { serverUrl, quick, figure } = JSON.parse(process.env['BENCH_SIDE'] ?? '{}')

const tell = (told: Told) => process.send?.(told)
const turn = async () => {
  await once(process, 'message')
}

shareTurns(async () => {
  tell('round')
  await turn()
})
// Its parent died, and the server with it.
process.once('disconnect', () => process.exit(1))

await turn()
tell(await measured())

async function measured(): Promise<Outcome> {
  const found = figures.find(({ name }) => name === figure)
  if (found === undefined) return { fault: `there is no figure '${figure}'` }
  const bench = benchOf({ serverUrl, quick, figure, profileFolder: undefined, statements: undefined })
  try {
    return { rows: (await found.measure(bench)).map((row) => judge(figure, row)) }
  } catch (error) {
    return { fault: (error as Error).message }
  }
}
