// Owns what the commands of keys share: how a key is named, and how one that was just made is told.
import { MillraceError } from '../../core/errors.ts'
import { isUuid } from '../../core/uuid.ts'
import type { ApiKeyRow } from '../../db/api-keys.ts'
import { ApiKeys, type MadeApiKey } from '../../sdk/api-keys.ts'
import type { CurrentSession, Session } from '../session.ts'

const pageMax = 1_000

export function withKeys<T>(current: CurrentSession, work: (keys: ApiKeys) => Promise<T>): Promise<T> {
  return current().withDatabase(({ caller }) => work(new ApiKeys(() => Promise.resolve(caller))))
}

/** The id of the key that somebody names by it or by how it begins, such as mr_1a2b. @throws MillraceError api_key_unknown, command_invalid */
export async function idOfKey(keys: ApiKeys, named: string): Promise<string> {
  if (isUuid(named)) return named
  const prefix = named.slice(0, prefixLength)
  const found = await keysThatBegin(keys, prefix)
  if (found.length === 1) return found[0]!.id
  if (found.length === 0)
    throw new MillraceError('api_key_unknown', `There is no key that begins with ${prefix}.`, {
      hint: 'List the keys with: npx millrace key list',
    })
  throw new MillraceError('command_invalid', `${found.length} keys begin with ${prefix}: write more of it.`)
}

/** Whoever pastes a whole key by mistake finds it in no error and in no argument that goes on. */
const prefixLength = 'mr_'.length + 12

/** A whole prefix is that of one key. It is looked for among those that are taken first, which are few: those that ended stay listed for a year. */
async function keysThatBegin(keys: ApiKeys, prefix: string): Promise<ApiKeyRow[]> {
  const isWhole = prefix.length === prefixLength
  for (const live of isWhole ? [true, false] : [false]) {
    const found: ApiKeyRow[] = []
    for await (const key of allKeys(keys, live)) {
      if (!key.prefix.startsWith(prefix)) continue
      found.push(key)
      if (isWhole) break
    }
    if (found.length > 0) return found
  }
  return []
}

async function* allKeys(keys: ApiKeys, live: boolean): AsyncGenerator<ApiKeyRow, void, undefined> {
  for (let before: string | undefined; ; ) {
    const page = await keys.list({ before, live, limit: pageMax })
    yield* page
    if (page.length < pageMax) return
    before = page.at(-1)!.id
  }
}

/** With the names of the columns. */
export function answerOf({ id, prefix, key, expiresAt }: MadeApiKey): Record<string, unknown> {
  return { id, prefix, key, expires_at: expiresAt }
}

export function printMade({ terminal }: Session, made: MadeApiKey): void {
  terminal.print(`Key ${made.prefix} is taken until ${dayOf(made.expiresAt)}. It is shown this once:`)
  terminal.print(made.key ?? '')
}

function dayOf(time: Date): string {
  return time.toISOString().slice(0, 10)
}

/** 'ends 2030-01-31', 'revoked' … */
export function standingOf(key: ApiKeyRow): string {
  if (key.revoked_at !== null) return 'revoked'
  if (!key.is_live) return key.expires_at <= new Date() ? 'expired' : 'disabled'
  const ends = `until ${dayOf(key.expires_at)}`
  return key.warning === null ? ends : `${ends}, ${key.warning === 'ends' ? 'soon' : 'old'}`
}
