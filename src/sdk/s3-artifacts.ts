// Owns the store of artifacts in S3, or in what speaks its protocol: by its official SDK, which is loaded when it is first used.
import { Readable } from 'node:stream'
import { MillraceError } from '../core/errors.ts'
import type { ArtifactStore } from './artifact-store.ts'

export interface S3ArtifactsOptions {
  readonly bucket: string
  /** Stands before the name of each object; 'artifacts/' unless told. */
  readonly prefix?: string
  readonly region?: string
  /** The address of a server that speaks S3's protocol and is not Amazon's. */
  readonly endpoint?: string
  /** Whether the bucket stands in the path of an address, as other servers often want it. */
  readonly forcePathStyle?: boolean
  /** Where left out, the SDK looks where it always does: environment, profile, role. */
  readonly credentials?: {
    readonly accessKeyId: string
    readonly secretAccessKey: string
    readonly sessionToken?: string
  }
  /** What each artifact keeps as the name of its store: 's3' and the bucket unless told. */
  readonly name?: string
}

/** How large the parts are in which an object is sent, and how many are on their way at once. */
const partBytes = 8_388_608
const partsAtOnce = 2

/**
 * Artifacts in a bucket; for the option `artifacts` of workers and clients. Needs the packages @aws-sdk/client-s3 and @aws-sdk/lib-storage.
 * @throws MillraceError artifact_store_missing from its first use, where they are not installed
 */
export function s3Artifacts(options: S3ArtifactsOptions): ArtifactStore {
  const { bucket: Bucket, prefix = 'artifacts/' } = options
  let loading: Promise<S3> | undefined
  const s3 = () => (loading ??= load(options))
  const at = (location: string) => ({ Bucket, Key: `${prefix}${location}` })
  return {
    name: (options.name ?? `s3:${Bucket}`).slice(0, 60),
    write: async (location, bytes, { type, abort }) => {
      const { client, Upload } = await s3()
      // A signal tells who listens afterwards of nothing that was before.
      abort.throwIfAborted()
      const upload = new Upload({
        client,
        params: { ...at(location), Body: Readable.from(bytes, { objectMode: false }), ContentType: type },
        partSize: partBytes,
        queueSize: partsAtOnce,
        // What was sent of an upload that failed does not stay.
        leavePartsOnError: false,
      })
      const stop = () => void upload.abort().catch(() => {})
      abort.addEventListener('abort', stop)
      try {
        await upload.done()
      } finally {
        abort.removeEventListener('abort', stop)
      }
    },
    read: async (location) => {
      const { client, GetObjectCommand } = await s3()
      const { Body } = await client.send(new GetObjectCommand(at(location)))
      return Body as unknown as Readable
    },
    remove: async (location) => {
      const { client, DeleteObjectCommand } = await s3()
      await client.send(new DeleteObjectCommand(at(location)))
    },
  }
}

type S3 = Awaited<ReturnType<typeof load>>

async function load({ region, endpoint, forcePathStyle, credentials }: S3ArtifactsOptions) {
  try {
    const [{ S3Client, GetObjectCommand, DeleteObjectCommand }, { Upload }] = await Promise.all([
      import('@aws-sdk/client-s3'),
      import('@aws-sdk/lib-storage'),
    ])
    const client = new S3Client({
      ...(region === undefined ? {} : { region }),
      ...(endpoint === undefined ? {} : { endpoint }),
      ...(forcePathStyle === undefined ? {} : { forcePathStyle }),
      ...(credentials === undefined ? {} : { credentials }),
    })
    return { client, GetObjectCommand, DeleteObjectCommand, Upload }
  } catch (cause) {
    throw new MillraceError(
      'artifact_store_missing',
      `Artifacts are to lie in S3, and its SDK can't be loaded: ${(cause as Error).message}`,
      { hint: 'Install it with: npm install @aws-sdk/client-s3 @aws-sdk/lib-storage', cause },
    )
  }
}
