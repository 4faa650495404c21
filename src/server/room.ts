// Owns what the handlers of the server share: the database, the client, the clock and the log.
import type pg from 'pg'
import type { Actor } from '../api/access.ts'
import { actorName } from '../api/access.ts'
import { type Acting, actingCaller, actTogether } from '../db/acting.ts'
import type { Caller } from '../db/call.ts'
import type { Cipher } from '../core/encryption.ts'
import type { AllowedTargets } from '../net/target.ts'
import type { Client } from '../sdk/client.ts'
import type { PipelineDefinition } from '../sdk/pipeline-definition.ts'
import type { KeyUses } from './key-uses.ts'
import type { RunTokens } from './run-tokens.ts'
import type { OpenStreams } from './event-stream.ts'
import type { Health } from './health.ts'
import type { Lookout } from './lookout.ts'
import type { People } from './people/people.ts'
import type { Metrics } from './metrics.ts'
import type { Trigger } from '../sdk/trigger.ts'
import type { Origin } from './origin.ts'
import type { ServerLog } from './server-log.ts'
import type { Turns } from './turns.ts'

export interface ServerRoom {
  /** Starts runs, waits for their results, follows their streams. */
  readonly client: Client
  readonly pool: pg.Pool
  /** Of the configured key ring; without one, nothing is encrypted or read that is. */
  readonly cipher: Cipher | undefined
  /** Those of this server's code, by whose schemas inputs are checked. */
  readonly pipelines: readonly PipelineDefinition[]
  /** What starts runs by itself, as this server's code declares it. */
  readonly triggers: readonly Trigger[]
  /** Where callbacks may go besides https addresses of the public internet. */
  readonly allowTargets: AllowedTargets
  /** Reads as the login of the server. Who may see what is decided before it is asked. */
  readonly reads: Caller
  /** The same outside of every transaction, also where a handler's calls and reads are in one. */
  readonly committed: Caller
  /** Named in errors, without user and password. */
  readonly database: string
  readonly log: ServerLog
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** One that is open already, in which all of a handler's calls are made: what a person approved of an agent's is done with the approval, or not at all. */
  readonly transaction?: Caller
  readonly random: (bytes: number) => Uint8Array
  /** Signs what lets a browser follow one run for a short time. */
  readonly tokens: RunTokens
  /** When keys were used last. */
  readonly keyUses: KeyUses
  /** For what is asked with an idempotency key, which keeps a connection of the pool. */
  readonly repeats: Turns
  /** Looks at all that is followed. */
  readonly lookout: Lookout
  /** How many event streams are open. */
  readonly streams: OpenStreams
  readonly health: Health
  readonly metrics: Metrics
  /** Where the server is mounted, such as /api/millrace; '' for its root. */
  readonly basePath: string
  /** Undefined where nobody can sign in. */
  readonly people: People | undefined
}

/** Calls in the name of an actor, each in a transaction of its own, with the rights of its role. */
export function callerOf(room: ServerRoom, actor: Actor, origin: Origin): Caller {
  if (room.transaction !== undefined) return room.transaction
  return actingCaller(room.pool, room.database, actingAs(actor, origin))
}

/** Several calls in one transaction, in the name of an actor. */
export function together<T>(
  room: ServerRoom,
  actor: Actor,
  origin: Origin,
  work: (caller: Caller) => Promise<T>,
): Promise<T> {
  if (room.transaction !== undefined) return work(room.transaction)
  return actTogether(room.pool, room.database, actingAs(actor, origin), work)
}

/** In whose name the database is asked for what an actor does. */
export function actingAs(actor: Actor, { address, correlationId, userAgent }: Origin): Acting {
  return {
    actor: actorName(actor),
    role: `millrace_${actor.role}`,
    request: {
      kind: actor.kind,
      id: actor.id,
      address,
      user_agent: userAgent,
      correlation_id: correlationId,
      agent: actor.agent ?? (actor.carriesOut === undefined ? undefined : 'asks'),
    },
  }
}
