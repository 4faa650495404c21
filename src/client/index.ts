// millrace/client: the HTTP API for programs, in browsers and edge functions as well.
export { MillraceError } from '../core/errors.ts'
export type { ErrorCode } from '../core/errors.ts'
export type { AnswerOf, CallOf, CallOptions } from './call.ts'
export type { ServerEvent } from './server-event.ts'
export { connectHttp, type HttpClient, type HttpOptions } from './http-client.ts'
export { each } from './pages.ts'
