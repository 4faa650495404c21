// millrace worker: serves the pipelines of the configuration until it is told to stop.
import { Command } from 'commander'
import type { Config } from '../sdk/config.ts'
import { startConfiguredWorker, tellServing, type WorkerChoices } from './configured-worker.ts'
import type { ChosenDatabase } from './database-choice.ts'
import { exampleInput } from './example-input.ts'
import { text, texts, wholeNumber } from './option-values.ts'
import type { CurrentSession, Session } from './session.ts'
import { workerListCommand } from './worker-list.ts'
import { hearOrders, type Orders, tellDev } from './worker-orders.ts'

export function workerCommand(current: CurrentSession): Command {
  return new Command('worker')
    .description('run the steps of the pipelines in millrace.config.ts until it is stopped')
    .option('--queue <queue...>', 'only steps on these queues', texts('--queue'))
    .option('--slots <n>', 'how many tasks run at once', wholeNumber('--slots', 1, 10_000))
    .option('--name <name>', "what people see; the host's name by default", text('--name'))
    .action((choices: WorkerChoices) => serve(current(), choices))
    .addCommand(workerListCommand(current))
}

async function serve(session: Session, choices: WorkerChoices): Promise<void> {
  const orders = hearOrders(process)
  try {
    const { config } = await session.needConfig((file) => tellDev(process, { kind: 'import', file }))
    const database = await session.chooseDatabase()
    try {
      await work(session, orders, config, database, choices)
    } finally {
      await database.release()
    }
  } finally {
    orders.close()
  }
}

async function work(
  session: Session,
  orders: Orders,
  config: Config,
  database: ChosenDatabase,
  choices: WorkerChoices,
): Promise<void> {
  const starting = startConfiguredWorker(session.terminal, config, database, choices)
  const worker = await Promise.race([starting, orders.ordered])
  if (worker === undefined) {
    // It may still wait for its database, and can't be told to stop before it began.
    session.mustExit = true
    return
  }
  tellServing(session.terminal, worker)
  offer(config)
  orders.obey({
    drain: () => {
      if (worker.held > 0)
        session.terminal.note(`Finishing ${worker.held} running; once more to give them back at once.`)
      void worker.stop()
    },
    force: () => {
      session.exitStatus = 1
      void worker.stop({ force: true })
    },
  })
  await worker.stopped
  // A handler that does not heed its abort signal would keep the process.
  session.mustExit = true
}

/** What `dev` offers to start. */
function offer(config: Config): void {
  const pipelines = config.pipelines.map(({ slug, inputSchema }) => ({
    slug,
    example: exampleInput(inputSchema),
  }))
  tellDev(process, { kind: 'serving', pipelines })
}
