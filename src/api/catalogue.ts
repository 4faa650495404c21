// Every operation of the API, by its name: what the server serves, the client calls, and the description describes.
import { agentOperations } from './agent-requests.ts'
import type { Operation } from './operation.ts'
import { auditTrailOperations } from './audit-trail.ts'
import { runOperations } from './runs.ts'
import { stepOperations } from './steps.ts'
import { streamOperations } from './streams.ts'
import { signalOperations } from './signals.ts'
import { approvalOperations } from './approvals.ts'
import { artifactOperations } from './artifacts.ts'
import { deadLetterOperations } from './dead-letters.ts'
import { redriveOperations } from './redrives.ts'
import { cacheOperations } from './cache.ts'
import { callbackOperations } from './callbacks.ts'
import { eventOperations } from './events.ts'
import { healthOperations } from './health.ts'
import { keyOperations } from './keys.ts'
import { limitOperations } from './limits.ts'
import { lockOperations } from './locks.ts'
import { peopleOperations } from './people.ts'
import { pipelineOperations } from './pipelines.ts'
import { scheduleOperations } from './schedules.ts'
import { secretOperations } from './secrets.ts'
import { signInOperations } from './sign-in.ts'
import { startRuleOperations } from './start-rules.ts'
import { subscriptionOperations } from './subscriptions.ts'
import { tenantOperations } from './tenants.ts'
import { watchOperations } from './watches.ts'
import { webhookOperations } from './webhooks.ts'
import { workerOperations } from './workers.ts'

export const operations = {
  ...runOperations,
  ...streamOperations,
  ...stepOperations,
  ...signalOperations,
  ...approvalOperations,
  ...artifactOperations,
  ...deadLetterOperations,
  ...redriveOperations,
  ...pipelineOperations,
  ...scheduleOperations,
  ...webhookOperations,
  ...watchOperations,
  ...subscriptionOperations,
  ...eventOperations,
  ...callbackOperations,
  ...limitOperations,
  ...startRuleOperations,
  ...lockOperations,
  ...cacheOperations,
  ...secretOperations,
  ...workerOperations,
  ...tenantOperations,
  ...keyOperations,
  ...agentOperations,
  ...signInOperations,
  ...peopleOperations,
  ...auditTrailOperations,
  ...healthOperations,
} as const

/** The same as a list, in the order in which they are documented. */
export const operationList: readonly Operation[] = Object.values(operations)
