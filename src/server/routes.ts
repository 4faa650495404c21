// All routes of the API, in the order in which they are documented.
import type { Route } from './route.ts'
import { agentRequestRoutes } from './routes/agent-requests.ts'
import { auditTrailRoutes } from './routes/audit-trail.ts'
import { healthRoutes } from './routes/health.ts'
import { mcpRoutes } from './routes/mcp.ts'
import { keyRoutes } from './routes/keys.ts'
import { peopleRoutes } from './routes/people.ts'
import { signInRoutes } from './routes/sign-in.ts'
import { runRoutes } from './routes/runs.ts'
import { pipelineRoutes } from './routes/pipelines.ts'
import { scheduleRoutes } from './routes/schedules.ts'
import { webhookRoutes } from './routes/webhooks.ts'
import { watchRoutes } from './routes/watches.ts'
import { subscriptionRoutes } from './routes/subscriptions.ts'
import { eventRoutes } from './routes/events.ts'
import { callbackRoutes } from './routes/callbacks.ts'
import { limitRoutes } from './routes/limits.ts'
import { startRuleRoutes } from './routes/start-rules.ts'
import { lockRoutes } from './routes/locks.ts'
import { cacheRoutes } from './routes/cache.ts'
import { secretRoutes } from './routes/secrets.ts'
import { workerRoutes } from './routes/workers.ts'
import { tenantRoutes } from './routes/tenants.ts'
import { streamRoutes } from './routes/streams.ts'
import { stepRoutes } from './routes/steps.ts'
import { signalRoutes } from './routes/signals.ts'
import { approvalRoutes } from './routes/approvals.ts'
import { artifactRoutes } from './routes/artifacts.ts'
import { deadLetterRoutes } from './routes/dead-letters.ts'
import { redriveRoutes } from './routes/redrives.ts'

/** What agents may ask for is among these. */
const offered: readonly Route[] = [
  ...runRoutes,
  ...streamRoutes,
  ...stepRoutes,
  ...signalRoutes,
  ...approvalRoutes,
  ...artifactRoutes,
  ...deadLetterRoutes,
  ...redriveRoutes,
  ...pipelineRoutes,
  ...scheduleRoutes,
  ...webhookRoutes,
  ...watchRoutes,
  ...subscriptionRoutes,
  ...eventRoutes,
  ...callbackRoutes,
  ...limitRoutes,
  ...startRuleRoutes,
  ...lockRoutes,
  ...cacheRoutes,
  ...secretRoutes,
  ...workerRoutes,
  ...tenantRoutes,
  ...auditTrailRoutes,
  ...healthRoutes,
]

const agentRequests = agentRequestRoutes(offered)

export const routes: readonly Route[] = [
  ...offered,
  ...keyRoutes,
  ...signInRoutes,
  ...peopleRoutes,
  ...agentRequests,
  ...mcpRoutes([...offered, ...agentRequests]),
]
