// A worker in a process of its own, loaded as `millrace worker` loads it: tells its parent when it is ready, when each handler
// begins, and, asked for it, how much memory it holds and how much time of a processor it has used. BENCH_WORKER: the JSON of {database, slots, pipelines: {slug: steps}, silent}.
import { productModule } from './product-folder.mjs'

const { pipeline } = await import(productModule('sdk/index.js'))
const { startWorker } = await import(productModule('worker/index.js'))

const { database, slots, pipelines, silent } = JSON.parse(process.env.BENCH_WORKER)

const begun = () => silent || process.send({ beganMs: Number(process.hrtime.bigint()) / 1e6 })

const chain = ([slug, steps]) => {
  let built = pipeline(slug)
  for (const [place, name] of steps.entries())
    built = built.step(name, () => {
      if (place === 0) begun()
      return { ok: 1 }
    })
  return built
}

const worker = await startWorker({ database, slots, pipelines: Object.entries(pipelines).map(chain) })
process.send({ ready: true })

process.on('message', (question) => {
  if (question === 'memory') process.send({ residentBytes: process.memoryUsage.rss() })
  if (question === 'cpu') {
    const { user, system } = process.cpuUsage()
    process.send({ cpuSeconds: (user + system) / 1e6 })
  }
})
// Its parent died, and the database with it: nothing is left to be put in order.
process.once('disconnect', () => process.exit(1))
process.once('SIGTERM', () => void worker.stop().then(() => process.exit(0)))
