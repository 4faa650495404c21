// Owns what may stand around an operation: it answers by itself, or lets go on.
import type { Operation } from '../api/operation.ts'
import type { SignedIn } from './authenticate.ts'
import type { Origin } from './origin.ts'
import type { ServerRoom } from './room.ts'

export interface Guarded {
  readonly operation: Operation
  readonly request: Request
  readonly origin: Origin
  readonly signedIn: SignedIn | undefined
  readonly room: ServerRoom
}

/** @throws MillraceError where it refuses */
export type Guard = (guarded: Guarded, next: () => Promise<Response>) => Promise<Response>
