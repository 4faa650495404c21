// millrace worker: serves the pipelines of the configuration until it is told to stop.
import { Command } from 'commander'
import { pino } from 'pino'
import type { Config } from '../sdk/config.ts'
import type { WorkerLogEntry } from '../worker/options.ts'
import { startWorker, type Worker } from '../worker/worker.ts'
import type { ChosenDatabase } from './database-choice.ts'
import { exampleInput } from './example-input.ts'
import { text, texts, wholeNumber } from './option-values.ts'
import type { CurrentSession, Session } from './session.ts'
import type { Terminal } from './terminal.ts'
import { workerListCommand } from './worker-list.ts'
import { hearOrders, type Orders, tellDev } from './worker-orders.ts'

interface WorkerChoices {
  readonly queue?: string[]
  readonly slots?: number
  readonly name?: string
}

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
  { url, directUrl }: ChosenDatabase,
  { queue, slots, name }: WorkerChoices,
): Promise<void> {
  const starting = startWorker({
    ...config.worker,
    database: url,
    ...(directUrl !== undefined && { directDatabase: directUrl }),
    pipelines: config.pipelines,
    triggers: config.triggers ?? [],
    encryptionKeys: config.encryptionKeys,
    ...(config.artifacts !== undefined && { artifacts: config.artifacts }),
    allowTargets: config.allowTargets,
    ...(queue !== undefined && { queues: queue }),
    ...(slots !== undefined && { slots }),
    ...(name !== undefined && { name }),
    log: workerLog(session.terminal),
  })
  const worker = await Promise.race([starting, orders.ordered])
  if (worker === undefined) {
    // It may still wait for its database, and can't be told to stop before it began.
    session.mustExit = true
    return
  }
  tellServing(session.terminal, worker, config)
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

function tellServing(terminal: Terminal, worker: Worker, config: Config): void {
  const served = [...worker.serves].map(([slug, version]) => `${slug} (version ${version})`)
  workerLog(terminal)({
    level: 'info',
    message:
      served.length === 0 ? 'The worker serves no pipeline.' : `The worker serves ${served.join(', ')}.`,
    fields: { worker_id: worker.id },
  })
  const pipelines = config.pipelines.map(({ slug, inputSchema }) => ({
    slug,
    example: exampleInput(inputSchema),
  }))
  tellDev(process, { kind: 'serving', pipelines })
}

/** Lines for people, or one JSON object a line. */
function workerLog(terminal: Terminal): (entry: WorkerLogEntry) => void {
  if (terminal.json) {
    const logger = pino({ base: null, messageKey: 'message' }, pino.destination({ sync: true }))
    return ({ level, message, fields }) => logger[level]({ ...fields }, message)
  }
  const { yellow, red } = terminal.colours
  const paint = { info: String, warn: yellow, error: red }
  return ({ level, message }) => terminal.print(paint[level](message))
}
