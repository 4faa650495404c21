// All figures, in the order of the table.
import type { Figure } from './figure.ts'
import { apiAccount, apiList, apiStarts, apiStreams, apiStreamsFull } from './figures/api.ts'
import { apiGuesses } from './figures/api-guesses.ts'
import { childCall } from './figures/child-call.ts'
import { changes } from './figures/changes.ts'
import { claimUnderSnapshot } from './figures/claim-under-snapshot.ts'
import { durableSteps } from './figures/durable-steps.ts'
import { drain } from './figures/drain.ts'
import { encrypted } from './figures/encrypted.ts'
import { drainBesideHistory } from './figures/drain-beside-history.ts'
import { drainBehindOthers } from './figures/drain-behind-others.ts'
import { fairness } from './figures/fairness.ts'
import { batches10000, fanOut, map10000 } from './figures/fan-out.ts'
import { firstRun } from './figures/first-run.ts'
import { handOver } from './figures/hand-over.ts'
import { idleRun } from './figures/idle-run.ts'
import { idleWorker } from './figures/idle-worker.ts'
import { redrive } from './figures/redrive.ts'
import { limits } from './figures/limits.ts'
import { runsElsewhere } from './figures/runs-elsewhere.ts'
import { schedules } from './figures/schedules.ts'
import { serverStart } from './figures/server-start.ts'
import { signalLatency } from './figures/signal-latency.ts'
import { sleepingRuns } from './figures/sleeping-runs.ts'
import { startMany } from './figures/start-many.ts'
import { tenantList } from './figures/tenant-list.ts'
import { threeStepRuns } from './figures/three-step-runs.ts'
import { wakeUp } from './figures/wake-up.ts'
import { webhooks } from './figures/webhooks.ts'
import { writers } from './figures/writers.ts'

export const figures: readonly Figure[] = [
  ...threeStepRuns,
  runsElsewhere,
  drain,
  startMany,
  wakeUp,
  handOver,
  idleRun,
  drainBesideHistory,
  drainBehindOthers,
  claimUnderSnapshot,
  fanOut,
  limits,
  fairness,
  map10000,
  batches10000,
  durableSteps,
  sleepingRuns,
  redrive,
  signalLatency,
  schedules,
  childCall,
  changes,
  encrypted,
  idleWorker,
  tenantList,
  webhooks,
  apiStarts,
  apiList,
  apiAccount,
  apiStreams,
  apiStreamsFull,
  apiGuesses,
  serverStart,
  writers,
  firstRun,
]
