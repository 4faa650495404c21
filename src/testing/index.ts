// What `millrace/testing` offers: an engine for tests, with a database of its own and a time that moves when it is told.
export { MillraceError, PermanentError } from '../core/errors.ts'
export { RetryAfter } from '../core/retry-after.ts'
export {
  type ApprovalDecision,
  createTestEngine,
  type TestEngine,
  type TestEngineOptions,
  type TestRun,
  type UntilIdleOptions,
} from './engine.ts'
export type { Fault } from './faults.ts'
export type { AnswerOutside, SentRequest } from './outside.ts'
export type { Double, Mock, StepCall } from './step-doubles.ts'
