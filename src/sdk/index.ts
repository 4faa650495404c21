// What `millrace` offers: writing pipelines, and starting runs of them.
export { type ErrorCode, MillraceError, PermanentError } from '../core/errors.ts'
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
export {
  type CancelOptions,
  type Client,
  type ClientOptions,
  connect,
  type PipelineOutcome,
  type RunHandle,
  type SignalSendOptions,
  type SignalSent,
} from './client.ts'
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
export { type Pipeline, type PipelineDefinition, pipeline } from './pipeline.ts'
export type { Hold, ReportBufferOptions } from './report-buffer.ts'
export type { Reporting, StreamWriter } from './reporting.ts'
export type { ResultOptions } from './result.ts'
export type { MigratedRuns, MigrateRunsOptions } from './run-moves.ts'
export type { MetricValues, ObjectiveResult, RunProgress, StepProgress } from './run-progress.ts'
export type { StreamOptions, StreamPart } from './run-stream.ts'
export type { PipelineInput, PipelineOutput, Startable, StartedRun } from './startable.ts'
export type { StartAnswer, StartOptions } from './start.ts'
export type { RetryOptions } from './retry-policy.ts'
export {
  drizzleTransaction,
  kyselyTransaction,
  type PostgresJsTransaction,
  postgresJsTransaction,
  type PrismaTransaction,
  prismaTransaction,
  type SqlTag,
} from './transactions.ts'
export type { Why } from './why.ts'
export type { WhyReason } from '../core/why-reason.ts'
