// The operations that follow what happens as server-sent events: a run, a list of runs, a queue. Each event has an id, by which a client that
// was cut off goes on where it was.
import { z } from 'zod'
import { runStates } from '../core/state.ts'
import type { Access } from './access.ts'
import { operation } from './operation.ts'
import { run, statesQuery } from './run.ts'
import { runParams } from './run-params.ts'
import { json, name, payloadsHidden, slug, time, uuid } from './values.ts'

/** The event `run`: how a run stands, at first and whenever that has changed. */
const runEvent = run
  .extend({ parts: z.int().describe('How many parts its stream has.') })
  .meta({ id: 'RunEvent' })

/** The event `part`: a part of the run's stream. */
const partEvent = z
  .object({
    position: z.int(),
    step: z.string(),
    item: z.int().nullable(),
    attempt: z.int(),
    value: json,
    written_at: time,
    payloads_hidden: payloadsHidden,
  })
  .meta({ id: 'PartEvent' })

/** The event `end`: the run has ended, and nothing comes after. */
const endEvent = z.object({ state: z.enum(runStates) }).meta({ id: 'EndEvent' })

/** The event `runs`: all that the list holds now. */
const runsEvent = z.object({ items: z.array(run) }).meta({ id: 'RunsEvent' })

/** The event `changed`: runs that are new in the list or have changed, and the ids of those that have left it. */
const changedEvent = z.object({ items: z.array(run), gone: z.array(uuid) }).meta({ id: 'ChangedEvent' })

/** The event `queue`: what lies on a queue. */
const queueEvent = z
  .object({
    queue: z.string(),
    ready: z.int().describe('Tasks that nobody holds. Of all tasks, no more than 10,000 are looked at.'),
    held: z.int().describe('Tasks that somebody holds.'),
  })
  .meta({ id: 'QueueEvent' })

const media = 'text/event-stream'

/** Who may follow: asked again while a stream goes on. */
export const followAccess = {
  run: { scope: 'runs:read', role: 'viewer', subject: 'run' },
  list: { scope: 'runs:read', role: 'viewer', subject: 'list' },
  queue: { scope: 'workers:read', role: 'viewer', subject: 'installation' },
} as const satisfies Record<string, Access>

const followRun = operation({
  name: 'followRun',
  method: 'get',
  path: '/runs/{run}/events',
  tag: 'events',
  summary:
    'Follow a run until it has ended: the events run, part and end. With Last-Event-ID nothing is told twice, and no part is missed.',
  access: followAccess.run,
  params: runParams,
  media,
  events: { run: runEvent, part: partEvent, end: endEvent },
  errors: ['run_unknown'],
})

const followRuns = operation({
  name: 'followRuns',
  method: 'get',
  path: '/runs/events',
  tag: 'events',
  summary: 'Follow the newest runs of a list: the event runs first, then changed.',
  access: followAccess.list,
  query: z.strictObject({
    pipeline: slug.optional(),
    state: statesQuery.optional(),
    tenant: name.optional(),
  }),
  media,
  events: { runs: runsEvent, changed: changedEvent },
})

const followQueue = operation({
  name: 'followQueue',
  method: 'get',
  path: '/queues/{queue}/events',
  tag: 'events',
  summary: 'Follow how much lies on a queue: the event queue, at first and whenever that has changed.',
  access: followAccess.queue,
  params: z.object({ queue: name }),
  media,
  events: { queue: queueEvent },
})

export const streamOperations = { followRuns, followRun, followQueue } as const
