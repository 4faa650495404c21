// What `millrace` offers: writing pipelines, and starting runs of them.
export { type ErrorCode, MillraceError, PermanentError } from '../core/errors.ts'
export { RetryAfter } from '../core/retry-after.ts'
export type { Duration } from '../core/duration.ts'
export type { Objective } from '../core/objectives.ts'
export type { Transaction } from '../db/call.ts'
export type {
  ActorOptions,
  Approval,
  ApprovalFilter,
  Approvals,
  DecideOptions,
  DecisionStanding,
} from './approvals.ts'
export type { ArtifactStore, StoredAbout } from './artifact-store.ts'
export type {
  Artifact,
  ArtifactInfo,
  ArtifactReference,
  Artifacts,
  ArtifactSource,
  ArtifactWriteOptions,
} from './artifacts.ts'
export type { BatchContext, BatchItem, BatchMapItem } from './batch.ts'
export type { Cache, CacheChoice, CacheEntry, CacheOptions, StepCache } from './cache.ts'
export { type Client, type ClientOptions, connect } from './client.ts'
export type { CancelOptions, ChangeOptions, DeleteOptions, RunHandle } from './run-handle.ts'
export type { SignalSendOptions, SignalSent } from './signals.ts'
export type { PipelineOutcome } from './versions.ts'
export type { RowCounts } from '../db/erasures.ts'
export type { ErasedTenant, EraseTenantOptions } from './erasures.ts'
export type { ReencryptedPayloads } from './key-rotation.ts'
export type { EncryptionKeys } from './sealed-runs.ts'
export type { SecretInfo, SecretOptions, SecretPlace, Secrets } from './secrets.ts'
export { type Config, defineConfig, type WorkerConfig } from './config.ts'
export type {
  HandlerContext,
  MapContext,
  RunInfo,
  Sql,
  StepContext,
  TransactionClient,
  TransactionStepContext,
  WhenContext,
} from './context.ts'
export type {
  ApprovalOptions,
  CallOptions,
  CallOutcome,
  Decision,
  Durable,
  DurableRunContext,
  HttpRequest,
  Signal,
  SignalNames,
  SignalOptions,
  TimedOut,
} from './durable.ts'
export {
  connectOutside,
  type EnsureAnswer,
  type EnsureOptions,
  type Outside,
  type OutsideOptions,
  type Report,
  type StepAnswer,
  type StepStartOptions,
} from './outside.ts'
export {
  type AnyInput,
  type BreakerOptions,
  type ConcurrencyOptions,
  type FairnessOptions,
  type Limit,
  limit,
  type LimitOptions,
  type LimitScope,
  type RateOptions,
} from './limit.ts'
export type { LimitDefineOptions, LimitInfo, LimitKey, Limits } from './limits.ts'
export type { LimitKind, LimitSettings, LimitTarget } from '../db/limits.ts'
export type { HeldLock, Lock, LockOptions } from './locks.ts'
export type { KeyOptions, PausedKey } from './paused-keys.ts'
export type { CallbackOptions } from './callback.ts'
export type { CallbackAttempt, CallbackDelivery, CallbackListOptions, Callbacks } from './callbacks.ts'
export type { CallbackEnd } from '../db/callbacks.ts'
export type { EmitOptions } from './emit.ts'
export { type InputPaths, subscribe, type SubscribeOptions, type Subscription } from './subscribe.ts'
export type { EmittedEvent, EventListOptions, SubscriptionInfo, Subscriptions } from './subscriptions.ts'
export type { EventStartRow, SubscriptionSettings } from '../db/events.ts'
export { pipeline } from './pipeline.ts'
export type { PipelineDefinition } from './pipeline-definition.ts'
export type { Pipeline } from './pipeline-type.ts'
export type { Hold, ReportBufferOptions } from './report-buffer.ts'
export type { Reporting, StreamWriter } from './reporting.ts'
export type { ResultOptions } from './result.ts'
export type {
  CopyAnswer,
  FailureFilter,
  FailureGroup,
  FailureGroupsOptions,
  ForkOptions,
  InputEdit,
  RedriveAnswer,
  RedriveFrom,
  RedrivenRun,
  RedriveOptions,
  RedrivePlan,
  RedriveProgress,
  Redrives,
  RerunOptions,
  RunLineage,
  RunOrigin,
  RunRedriveOptions,
} from './redrives.ts'
export type { MigratedRuns, MigrateRunsOptions } from './run-moves.ts'
export type { MetricValues, ObjectiveResult, RunProgress, StepProgress } from './run-progress.ts'
export type { StreamOptions, StreamPart } from './run-stream.ts'
export type { PipelineInput, PipelineOutput, Startable, StartedRun } from './startable.ts'
export type { StartAnswer, StartOptions } from './start.ts'
export {
  type CadenceOptions,
  type CatchUp,
  type Overlap,
  type Schedule,
  schedule,
  type ScheduleConditions,
  type ScheduleOptions,
} from './schedule.ts'
export type {
  BackfillAnswer,
  BackfillOptions,
  Firing,
  NextSlot,
  ScheduleInfo,
  ScheduleListOptions,
  Schedules,
  TriggerAnswer,
} from './schedules.ts'
export type { Expectation, ExpectedOutput, ExpectedQuery } from '../core/expectation.ts'
export type { StartRuleBook, StartRuleChange, StartRuleInfo } from './start-rule-book.ts'
export type { StartRuleOptions } from './start-rules.ts'
export type { RetryAllowanceOptions, RetryOptions, RetryWhen } from './retry-policy.ts'
export { s3Artifacts, type S3ArtifactsOptions } from './s3-artifacts.ts'
export {
  drizzleTransaction,
  kyselyTransaction,
  type PostgresJsTransaction,
  postgresJsTransaction,
  type PrismaTransaction,
  prismaTransaction,
  type SqlTag,
} from './transactions.ts'
export type { Delivery } from './delivery.ts'
export type { DeliveryState } from '../core/state.ts'
export {
  type DeliveryId,
  type HmacOptions,
  type Webhook,
  webhook,
  type WebhookOptions,
  type WebhookProvider,
  type WebhookTarget,
} from './webhook.ts'
export {
  DeliveryFailed,
  type RequestAbout,
  type WebhookHandler,
  type WebhookHandlerOptions,
} from './webhook-handler.ts'
export type {
  DeliveryFilterOptions,
  DeliveryInfo,
  NewSecret,
  Replayed,
  ReplayedDelivery,
  ReplayOptions,
  WebhookInfo,
  Webhooks,
} from './webhooks.ts'
export { type Change, watch, type Watch, type WatchCondition, type WatchOptions } from './watch.ts'
export type { BackfillInfo, WatchInfo, Watches } from './watches.ts'
export type { WatchOperation, WatchSettings } from '../db/watches.ts'
export type { Why } from './why.ts'
export type { WhyReason } from '../core/why-reason.ts'
