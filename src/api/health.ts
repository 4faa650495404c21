// The operations by which monitors, load balancers and readers of the API look at a server.
import { z } from 'zod'
import { operation } from './operation.ts'

const whole = z.int().min(0)

const queueHealth = z
  .object({
    queue: z.string(),
    ready: whole.describe('Tasks that nobody holds yet.'),
    held: whole.describe('Tasks that a worker runs.'),
    oldest_seconds: z.number().describe('For how long the oldest of the ready ones has been so.'),
  })
  .meta({ id: 'QueueHealth' })

const health = z
  .object({
    status: z.enum(['green', 'red']),
    reasons: z
      .array(z.enum(['database_away', 'no_worker', 'firing_overdue']))
      .describe('Why it is red; empty where it is green.'),
    db_connected: z.boolean(),
    workers: whole.nullable().describe('Workers whose lease counts; null where the database is away.'),
    queue_depth: whole.nullable().describe('Tasks that nobody holds yet, of all queues.'),
    queues: z.array(queueHealth),
    waiting: whole.nullable().describe('Tasks that wait for a time, a signal, a limit or a person.'),
    dead_letters: whole.nullable().describe('Failed runs that nobody has decided on.'),
    overdue_firings: whole.nullable(),
  })
  .meta({ id: 'Health' })
export type HealthAnswer = z.infer<typeof health>

export const checkHealth = operation({
  name: 'checkHealth',
  method: 'get',
  path: '/health',
  tag: 'health',
  summary: 'Tell how the installation is: 503 where it is red. From the same machine it takes no key.',
  access: { scope: 'metrics:read', role: 'viewer', subject: 'installation' },
  answer: health,
  unwell: true,
  uncounted: true,
})

export const checkLiveness = operation({
  name: 'checkLiveness',
  uncounted: true,
  method: 'get',
  path: '/health/live',
  tag: 'health',
  summary: 'Tell that the process answers. It never depends on the database.',
  access: 'public',
  answer: z.object({ status: z.literal('live') }),
})

export const checkReadiness = operation({
  name: 'checkReadiness',
  uncounted: true,
  method: 'get',
  path: '/health/ready',
  tag: 'health',
  summary: 'Tell whether the server can serve: 503 while its database is away, or while it stops.',
  access: 'public',
  answer: z.object({ status: z.enum(['ready', 'unready']), reason: z.string().optional() }),
  unwell: true,
})

export const readMetrics = operation({
  name: 'readMetrics',
  method: 'get',
  path: '/metrics',
  tag: 'health',
  summary: 'Read the metrics in the text format of Prometheus. From the same machine it takes no key.',
  access: { scope: 'metrics:read', role: 'viewer', subject: 'installation' },
  media: 'text/plain',
  uncounted: true,
})

export const describeApi = operation({
  name: 'describeApi',
  method: 'get',
  path: '/openapi.json',
  tag: 'description',
  summary: 'Describe every operation, as OpenAPI 3.1.',
  access: 'public',
  media: 'application/json',
})

export const showReference = operation({
  name: 'showReference',
  method: 'get',
  path: '/reference',
  tag: 'description',
  summary: 'Show the same description as a page.',
  access: 'public',
  media: 'text/html',
})

export const styleReference = operation({
  name: 'styleReference',
  uncounted: true,
  method: 'get',
  path: '/reference/style.css',
  tag: 'description',
  summary: 'The style sheet of that page.',
  access: 'public',
  media: 'text/css',
})

export const healthOperations = {
  checkHealth,
  checkLiveness,
  checkReadiness,
  readMetrics,
  describeApi,
  showReference,
  styleReference,
} as const
