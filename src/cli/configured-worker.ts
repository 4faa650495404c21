// Owns the worker that a command runs: as the configuration says, and telling what happens on the terminal.
import { pino } from 'pino'
import type { Config } from '../sdk/config.ts'
import type { WorkerLogEntry } from '../worker/options.ts'
import { startWorker, type Worker } from '../worker/worker.ts'
import type { ChosenDatabase } from './database-choice.ts'
import type { Terminal } from './terminal.ts'

export interface WorkerChoices {
  readonly queue?: string[]
  readonly slots?: number
  readonly name?: string
}

/** Resolves once the worker serves, which may wait for its database. */
export function startConfiguredWorker(
  terminal: Terminal,
  config: Config,
  { url, directUrl }: Pick<ChosenDatabase, 'url' | 'directUrl'>,
  { queue, slots, name }: WorkerChoices = {},
): Promise<Worker> {
  return startWorker({
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
    log: eventLog(terminal),
  })
}

export function tellServing(terminal: Terminal, worker: Worker): void {
  const served = [...worker.serves].map(([slug, version]) => `${slug} (version ${version})`)
  eventLog(terminal)({
    level: 'info',
    message:
      served.length === 0 ? 'The worker serves no pipeline.' : `The worker serves ${served.join(', ')}.`,
    fields: { worker_id: worker.id },
  })
}

/** What a process tells that goes on: lines for people, or one JSON object a line. */
export function eventLog(terminal: Terminal): (entry: WorkerLogEntry) => void {
  if (terminal.json) {
    const logger = pino({ base: null, messageKey: 'message' }, { write: terminal.answerText })
    return ({ level, message, fields }) => logger[level]({ ...fields }, message)
  }
  const { yellow, red } = terminal.colours
  const paint = { info: String, warn: yellow, error: red }
  return ({ level, message }) => {
    for (const line of message.split('\n')) terminal.print(paint[level](line))
  }
}
