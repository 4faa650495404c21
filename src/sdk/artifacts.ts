// Owns artifacts as handlers and clients see them: what is larger than a value, streamed in and out, and checked by its hash.
import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { ReadableStream } from 'node:stream/web'
import { MillraceError } from '../core/errors.ts'
import { isUuid } from '../core/uuid.ts'
import { type ArtifactRow, listArtifacts, readChunk } from '../db/artifacts.ts'
import type { Caller } from '../db/call.ts'
import { type ArtifactStore, ownStore, storeNamed } from './artifact-store.ts'

/** Where the bytes of an artifact come from: a stream of Node or of the web, whatever gives chunks, or all of it at once. */
export type ArtifactSource =
  | AsyncIterable<Uint8Array | string>
  | Iterable<Uint8Array | string>
  | ReadableStream<Uint8Array>
  | Uint8Array
  | string

/** An artifact by its run and name: plain data, so that an output or an input may hold it. */
export interface ArtifactReference {
  readonly run: string
  readonly artifact: string
  readonly type: string
  readonly size: number
  /** Of its bytes, in hex. */
  readonly sha256: string
}

export interface ArtifactWriteOptions {
  /** A media type; application/octet-stream unless told. */
  readonly type?: string
}

/** What a handler does with artifacts. */
export interface Artifacts {
  /**
   * Writes an artifact of this run. Nobody sees it before all of it is there; written again under its name, by the same step, it is replaced.
   * @throws MillraceError artifact_name_taken, artifact_too_large, artifacts_too_many, artifact_invalid, not_encryptable
   */
  write(name: string, source: ArtifactSource, options?: ArtifactWriteOptions): Promise<ArtifactReference>
  /** One of this run by its name, or one of any run of the same tenant by its reference. @throws MillraceError artifact_unknown */
  read(artifact: string | Pick<ArtifactReference, 'run' | 'artifact'>): Promise<Artifact>
  /** Those of this run that are finished. */
  list(): Promise<ArtifactInfo[]>
}

export interface ArtifactInfo extends ArtifactReference {
  readonly step: string
  /** Of a map: the place of the item. */
  readonly item: number | null
  readonly createdAt: Date
}

export interface ArtifactReader {
  readonly caller: Caller
  readonly store: ArtifactStore | undefined
}

/** The artifacts of a run. */
export async function artifactsOf(caller: Caller, run: string, reader?: string): Promise<ArtifactInfo[]> {
  const rows = await listArtifacts(caller, run, reader === undefined ? {} : { reader })
  return rows.map(infoOf)
}

/** @throws MillraceError artifact_unknown, artifact_store_missing */
export async function openArtifact(
  { caller, store }: ArtifactReader,
  run: string,
  name: string,
  reader?: string,
): Promise<Artifact> {
  const [row] = isUuid(run)
    ? await listArtifacts(caller, run, reader === undefined ? { name } : { name, reader })
    : []
  if (row === undefined) {
    throw new MillraceError(
      'artifact_unknown',
      `Run ${run.slice(0, 100)} has no artifact '${name.slice(0, 200)}'.`,
      {
        fields: { runId: run, artifact: name },
      },
    )
  }
  const outside = row.store === ownStore ? undefined : storeNamed(store, row.store, name)
  return new Artifact(row, () =>
    outside === undefined ? ownChunks(caller, row) : storedChunks(outside, row),
  )
}

/** A finished artifact. Iterating over it gives its bytes; at their end the hash is checked. */
export class Artifact implements AsyncIterable<Uint8Array>, ArtifactInfo {
  readonly run: string
  readonly artifact: string
  readonly type: string
  readonly size: number
  readonly sha256: string
  readonly step: string
  readonly item: number | null
  readonly createdAt: Date
  readonly #open: () => AsyncIterable<Uint8Array>

  /** Call client.run(id).artifact(name). */
  constructor(row: ArtifactRow, open: () => AsyncIterable<Uint8Array>) {
    const { run, artifact, type, size, sha256, step, item, createdAt } = infoOf(row)
    this.run = run
    this.artifact = artifact
    this.type = type
    this.size = size
    this.sha256 = sha256
    this.step = step
    this.item = item
    this.createdAt = createdAt
    this.#open = open
  }

  /** @throws MillraceError artifact_corrupt at the end, where the bytes are not those that were written */
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    const hash = createHash('sha256')
    let size = 0
    for await (const chunk of this.#open()) {
      hash.update(chunk)
      size += chunk.length
      yield chunk
    }
    if (size === this.size && hash.digest('hex') === this.sha256) return
    throw new MillraceError(
      'artifact_corrupt',
      `Artifact '${this.artifact}' of run ${this.run} has other bytes than those that were written: ${size} of ${this.size} were read.`,
      { fields: { runId: this.run, artifact: this.artifact } },
    )
  }

  /** As a stream of Node. */
  stream(): Readable {
    return Readable.from(this, { objectMode: false })
  }

  /** As a stream of the web. */
  web(): ReadableStream<Uint8Array> {
    const chunks = this[Symbol.asyncIterator]()
    return new ReadableStream({
      pull: async (controller) => {
        const { done, value } = await chunks.next()
        if (done === true) controller.close()
        else controller.enqueue(value)
      },
      cancel: async () => {
        await chunks.return()
      },
    })
  }

  /** All of it at once. */
  async bytes(): Promise<Uint8Array> {
    const chunks: Uint8Array[] = []
    for await (const chunk of this) chunks.push(chunk)
    return Buffer.concat(chunks)
  }

  /** All of it at once, as UTF-8. */
  async text(): Promise<string> {
    return new TextDecoder().decode(await this.bytes())
  }
}

function infoOf(row: ArtifactRow): ArtifactInfo {
  const { run_id: run, name: artifact, type, size, sha256, step, item, created_at: createdAt } = row
  return { run, artifact, type, size, sha256, step, item, createdAt }
}

async function* ownChunks(caller: Caller, row: ArtifactRow): AsyncGenerator<Uint8Array, void, undefined> {
  for (let read = 0, position = 0; read < row.size; position++) {
    const chunk = await readChunk(caller, row, position)
    // What is missing shows in the size.
    if (chunk === undefined) return
    read += chunk.length
    yield chunk
  }
}

async function* storedChunks(
  store: ArtifactStore,
  row: ArtifactRow,
): AsyncGenerator<Uint8Array, void, undefined> {
  yield* await store.read(row.location)
}
