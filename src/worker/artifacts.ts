// Artifacts as attempts write and read them: in chunks of a megabyte, hashed on the way, and shown once all of it is there.
import { createHash, randomUUID } from 'node:crypto'
import { MillraceError } from '../core/errors.ts'
import { heard } from '../core/heard.ts'
import { isShortText } from '../core/short-text.ts'
import { finishUpload, leaveUpload, openUpload, type Upload, writeChunk } from '../db/artifacts.ts'
import type { Caller } from '../db/call.ts'
import type { WorkerKey } from '../db/tasks.ts'
import { type ArtifactStore, ownStore } from '../sdk/artifact-store.ts'
import {
  type Artifact,
  type ArtifactInfo,
  type ArtifactReference,
  type Artifacts,
  artifactsOf,
  type ArtifactSource,
  type ArtifactWriteOptions,
  openArtifact,
} from '../sdk/artifacts.ts'
import { AttemptAborted, type HeldTask, throwIfAborted } from './held-task.ts'
import { untilAnswered } from './turn-batches.ts'
import { refuseSecrets } from './secret-names.ts'

const chunkBytes = 1_048_576

export class WorkerArtifacts {
  readonly #caller: Caller
  readonly #worker: WorkerKey
  readonly #store: ArtifactStore | undefined

  constructor(caller: Caller, worker: WorkerKey, store: ArtifactStore | undefined) {
    this.#caller = caller
    this.#worker = worker
    this.#store = store
  }

  /** What a handler gets. */
  of(task: HeldTask): Artifacts {
    return {
      write: (name, source, options) => heard(this.#write(task, name, source, options)),
      read: (artifact) => heard(this.#read(task, artifact)),
      list: (): Promise<ArtifactInfo[]> => artifactsOf(this.#caller, task.run.id),
    }
  }

  #read(task: HeldTask, artifact: Parameters<Artifacts['read']>[0]): Promise<Artifact> {
    const { run, artifact: name } = typeof artifact === 'string' ? { run: task.run.id, artifact } : artifact
    return openArtifact({ caller: this.#caller, store: this.#store }, String(run), String(name), task.run.id)
  }

  async #write(
    task: HeldTask,
    name: string,
    source: ArtifactSource,
    { type = 'application/octet-stream' }: ArtifactWriteOptions = {},
  ): Promise<ArtifactReference> {
    checkText('name', name, task)
    refuseSecrets(`The name of an artifact of step '${task.step.name}'`, name)
    checkText('type', type, task)
    const id = randomUUID()
    const { taskId, step, attempt, run } = task
    const store = this.#store?.name ?? ownStore
    const upload = { taskId, stepId: step.id, attempt, id, name, type, store, location: `${run.id}/${id}` }
    const bytesMax = await this.#held(() => openUpload(this.#caller, this.#worker, upload))
    try {
      const measured = new Measured(name, bytesMax)
      await this.#send(task, upload, measured.of(chunksOf(name, source)))
      const { size, sha256 } = measured.end()
      await this.#held(() => finishUpload(this.#caller, this.#worker, upload, { size, sha256 }))
      return { run: run.id, artifact: name, type, size, sha256: sha256.toString('hex') }
    } catch (error) {
      // Housekeeping finds it in any case.
      if (!task.lost) await leaveUpload(this.#caller, this.#worker, upload).catch(() => {})
      throw error
    }
  }

  async #send(task: HeldTask, upload: Upload, chunks: AsyncIterable<Buffer>): Promise<void> {
    if (this.#store !== undefined) {
      await this.#store.write(upload.location, chunks, { type: upload.type, abort: task.abort.signal })
      return
    }
    let position = 0
    for await (const chunk of chunks) {
      throwIfAborted(task)
      const place = position++
      await this.#held(() => writeChunk(this.#caller, this.#worker, upload, place, chunk))
    }
  }

  /** What an attempt that no longer holds its task writes is refused. */
  async #held<T>(call: () => Promise<T | null | false>): Promise<T> {
    const answer = await untilAnswered(call)
    if (answer === null || answer === false) throw new AttemptAborted('the lease was lost')
    return answer
  }
}

/** Counts and hashes what passes through, and refuses more than may come. */
class Measured {
  readonly #name: string
  readonly #bytesMax: number
  readonly #hash = createHash('sha256')
  #size = 0

  constructor(name: string, bytesMax: number) {
    this.#name = name
    this.#bytesMax = bytesMax
  }

  async *of(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, undefined> {
    for await (const chunk of chunks) {
      this.#size += chunk.length
      if (this.#size > this.#bytesMax) {
        throw new MillraceError(
          'artifact_too_large',
          `Artifact '${this.#name}' has more than ${this.#bytesMax} bytes, the most that it may have.`,
          { fields: { artifact: this.#name, bytesMax: this.#bytesMax } },
        )
      }
      this.#hash.update(chunk)
      yield chunk
    }
  }

  end(): { readonly size: number; readonly sha256: Buffer } {
    return { size: this.#size, sha256: this.#hash.digest() }
  }
}

/** The bytes of a source in chunks of one size, the last one smaller. */
async function* chunksOf(name: string, source: ArtifactSource): AsyncGenerator<Buffer, void, undefined> {
  let gathered: Buffer[] = []
  let size = 0
  for await (const piece of piecesOf(name, source)) {
    let rest = bufferOf(name, piece)
    while (size + rest.length >= chunkBytes) {
      const part = rest.subarray(0, chunkBytes - size)
      yield Buffer.concat([...gathered, part], chunkBytes)
      rest = rest.subarray(part.length)
      gathered = []
      size = 0
    }
    if (rest.length > 0) gathered.push(rest)
    size += rest.length
  }
  if (size > 0) yield Buffer.concat(gathered, size)
}

function piecesOf(name: string, source: ArtifactSource): AsyncIterable<unknown> | Iterable<unknown> {
  if (typeof source === 'string' || source instanceof Uint8Array) return [source]
  if (typeof source === 'object' && (Symbol.asyncIterator in source || Symbol.iterator in source))
    return source
  throw invalid(`Artifact '${name}' comes from something that is neither bytes nor a stream of them`)
}

function bufferOf(name: string, piece: unknown): Buffer {
  if (typeof piece === 'string') return Buffer.from(piece)
  if (piece instanceof Uint8Array) return Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength)
  throw invalid(`The source of artifact '${name}' gives something that is neither bytes nor text`)
}

function checkText(what: string, text: unknown, { step }: HeldTask): void {
  if (isShortText(text)) return
  throw invalid(`The ${what} of an artifact of step '${step.name}' is no text of 1 to 200 characters`)
}

function invalid(problem: string): MillraceError {
  return new MillraceError('artifact_invalid', `${problem}.`)
}
