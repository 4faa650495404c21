// What `millrace` offers: writing pipelines, and starting runs of them.
export { type ErrorCode, MillraceError, PermanentError } from '../core/errors.ts'
export type { Duration } from '../core/duration.ts'
export type { Transaction } from '../db/call.ts'
export { type Client, type ClientOptions, connect, type RunHandle, type Startable } from './client.ts'
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
  type Pipeline,
  type PipelineDefinition,
  type PipelineInput,
  type PipelineOutput,
  pipeline,
} from './pipeline.ts'
export type { Hold, ReportBufferOptions } from './report-buffer.ts'
export type { ResultOptions } from './result.ts'
export type { StartAnswer, StartedRun, StartOptions } from './start.ts'
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
