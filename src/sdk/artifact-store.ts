// Owns what a store of artifacts outside the database must do; a worker and a client that are given one use it.
import { MillraceError } from '../core/errors.ts'

export interface ArtifactStore {
  /** Kept with each artifact: whoever reads it needs a store of this name. */
  readonly name: string
  /** Writes all of the bytes, or none that stay. */
  write(location: string, bytes: AsyncIterable<Uint8Array>, about: StoredAbout): Promise<void>
  read(location: string): Promise<AsyncIterable<Uint8Array>>
  /** What is not there counts as removed. */
  remove(location: string): Promise<void>
}

export interface StoredAbout {
  readonly type: string
  /** Fires when the bytes are no longer wanted. */
  readonly abort: AbortSignal
}

/** Where bytes lie that the database keeps itself. */
export const ownStore = 'postgres'

/** The store in which an artifact lies. @throws MillraceError artifact_store_missing */
export function storeNamed(store: ArtifactStore | undefined, name: string, artifact: string): ArtifactStore {
  if (store?.name === name) return store
  throw new MillraceError(
    'artifact_store_missing',
    `Artifact '${artifact}' lies in the store '${name}', and this process ${store === undefined ? 'was given none' : `was given '${store.name}'`}.`,
    { fields: { artifact, store: name } },
  )
}

export function isArtifactStore(value: unknown): value is ArtifactStore {
  const methods = ['write', 'read', 'remove']
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof Reflect.get(value, 'name') === 'string' &&
    methods.every((method) => typeof Reflect.get(value, method) === 'function')
  )
}
