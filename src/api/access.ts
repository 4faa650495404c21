// Owns who may do what over HTTP: the scopes of keys, what a role reaches, and what each operation asks for.
import type { OwnedKind } from '../core/owned-kind.ts'
import { type Role, roles } from '../core/role.ts'

/** What a key may be given. A person has those of its role. */
export const scopes = [
  'runs:read',
  'runs:start',
  'runs:write',
  'steps:execute',
  'payloads:read',
  'signals:send',
  'approvals:decide',
  'pipelines:read',
  'pipelines:write',
  'triggers:read',
  'triggers:write',
  'limits:read',
  'limits:write',
  'secrets:read',
  'secrets:write',
  'workers:read',
  'workers:write',
  'people:read',
  'people:write',
  'keys:read',
  'keys:write',
  'audit:read',
  'metrics:read',
  'data:erase',
] as const
export type Scope = (typeof scopes)[number]

/** What an operation works on, by which a key of one tenant or of some pipelines is let through or not. */
export type SubjectKind =
  /** Nothing that belongs to anybody: everybody who has the scope. */
  | 'nothing'
  /** A list, which its handler keeps to what the actor may see. */
  | 'list'
  /** All of the installation: nobody who is bound to a tenant or to pipelines. */
  | 'installation'
  /** What the path names, looked up before anything is done: of another tenant it is as unknown as if there were none. */
  | OwnedKind

export interface Access {
  /** What a key needs; null: nothing, for what concerns whoever asks alone. */
  readonly scope: Scope | null
  /** What a person needs. */
  readonly role: Role
  readonly subject: SubjectKind
}

/** Who asks: a person, a key, a token for one run, or an agent that acts by a key. */
export interface Actor {
  readonly kind: 'person' | 'key' | 'token' | 'developer' | 'local'
  /** Of the person or key; written down with what it does. */
  readonly id: string
  /** What people read in history: an address, or the name of a key. */
  readonly name: string
  /** What it may at most; a key's is that of whoever made it, or lower. */
  readonly role: Role
  /** null: all that the role has. */
  readonly scopes: readonly Scope[] | null
  /** Bound to this tenant; null: to none. */
  readonly tenant: string | null
  /** Bound to these pipelines; null: to none. */
  readonly pipelines: readonly string[] | null
  /** Bound to this run; null: to none. */
  readonly run: string | null
  /** Whether it sees what went into runs and came out: a right of its own. */
  readonly payloads: boolean
  /** An agent acts by it: what changes something is asked of a person first, unless the key may act. */
  readonly agent?: 'asks' | 'acts'
  /** A person who carries out what this agent asked for. */
  readonly carriesOut?: { readonly agent: string }
}

/** The words under which history names an actor. */
export function actorName({
  kind,
  name,
  agent,
  carriesOut,
}: Pick<Actor, 'kind' | 'name' | 'agent' | 'carriesOut'>): string {
  if (agent !== undefined) return `agent ${name}`
  const own = kind === 'person' ? name : `${kind} ${name}`
  return carriesOut === undefined ? own : `${own} for agent ${carriesOut.agent}`
}

/** Whether a role may do what another one may. */
export function reaches(role: Role, wanted: Role): boolean {
  return roles.indexOf(role) >= roles.indexOf(wanted)
}

const readScopes: ReadonlySet<Scope> = new Set(
  scopes.filter((scope) => scope.endsWith(':read') && scope !== 'payloads:read'),
)
const adminScopes: ReadonlySet<Scope> = new Set([
  'secrets:write',
  'people:read',
  'people:write',
  'keys:read',
  'keys:write',
  'audit:read',
  'data:erase',
])

/** What a role may be given at most. */
export function scopesOf(role: Role): Scope[] {
  return scopes.filter((scope) =>
    role === 'admin' ? true : adminScopes.has(scope) ? false : role === 'operator' || readScopes.has(scope),
  )
}
