// A server that speaks the part of S3's protocol that artifacts need, over a socket: objects whole and in parts, read and deleted.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface S3Server {
  readonly endpoint: string
  /** By bucket/key. */
  readonly objects: Map<string, { readonly bytes: Buffer; readonly type: string }>
  /** Uploads in parts that were begun and neither completed nor aborted. */
  readonly openUploads: number
  /** What was asked, method by method. */
  readonly requests: string[]
  /** Answers the next requests of this method with this status. */
  fail(method: string, status: number, times: number): void
  close(): Promise<void>
}

interface OpenUpload {
  readonly key: string
  readonly type: string
  readonly parts: Map<number, Buffer>
}

export async function startS3Server(): Promise<S3Server> {
  const objects: S3Server['objects'] = new Map()
  const uploads = new Map<string, OpenUpload>()
  const failures: { method: string; status: number; times: number }[] = []
  const requests: string[] = []
  const server = createServer((request, response) => {
    void answer(request, response).catch((error: unknown) => {
      response.writeHead(500)
      response.end(String(error))
    })
  })

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '' } = request
    const url = new URL(request.url ?? '/', 'http://s3')
    const key = decodeURIComponent(url.pathname.slice(1))
    requests.push(method)
    const body = await bodyOf(request)
    const failure = failures.find((one) => one.method === method && one.times > 0)
    if (failure !== undefined) {
      failure.times--
      return send(response, failure.status, '<Error><Code>SlowDown</Code></Error>')
    }
    const type = String(request.headers['content-type'] ?? '')
    const uploadId = url.searchParams.get('uploadId') ?? ''
    if (method === 'POST' && url.searchParams.has('uploads')) {
      const id = `upload-${uploads.size + requests.length}`
      uploads.set(id, { key, type, parts: new Map() })
      return send(
        response,
        200,
        `<InitiateMultipartUploadResult><UploadId>${id}</UploadId></InitiateMultipartUploadResult>`,
      )
    }
    if (method === 'PUT' && uploadId !== '') {
      uploads.get(uploadId)!.parts.set(Number(url.searchParams.get('partNumber')), body)
      response.setHeader('etag', `"part-${url.searchParams.get('partNumber')}"`)
      return send(response, 200)
    }
    if (method === 'POST' && uploadId !== '') {
      const { parts, type: kept } = uploads.get(uploadId)!
      uploads.delete(uploadId)
      const ordered = [...parts].sort(([left], [right]) => left - right).map(([, bytes]) => bytes)
      objects.set(key, { bytes: Buffer.concat(ordered), type: kept })
      return send(
        response,
        200,
        '<CompleteMultipartUploadResult><ETag>"whole"</ETag></CompleteMultipartUploadResult>',
      )
    }
    if (method === 'DELETE' && uploadId !== '') {
      uploads.delete(uploadId)
      return send(response, 204)
    }
    if (method === 'PUT') {
      objects.set(key, { bytes: body, type })
      response.setHeader('etag', '"whole"')
      return send(response, 200)
    }
    if (method === 'DELETE') {
      objects.delete(key)
      return send(response, 204)
    }
    const object = objects.get(key)
    if (object === undefined) return send(response, 404, '<Error><Code>NoSuchKey</Code></Error>')
    response.writeHead(200, { 'content-type': object.type, 'content-length': object.bytes.length })
    response.end(object.bytes)
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    objects,
    requests,
    get openUploads() {
      return uploads.size
    },
    fail: (method, status, times) => void failures.push({ method, status, times }),
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  }
}

function send(response: ServerResponse, status: number, xml = ''): void {
  response.writeHead(status, { 'content-type': 'application/xml' })
  response.end(xml === '' ? '' : `<?xml version="1.0" encoding="UTF-8"?>${xml}`)
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = []
  for await (const piece of request) pieces.push(piece as Buffer)
  const body = Buffer.concat(pieces)
  return String(request.headers['content-encoding'] ?? '').includes('aws-chunked') ? unchunked(body) : body
}

/** The bytes of a body that comes in chunks with their sizes before them, and a checksum behind. */
function unchunked(body: Buffer): Buffer {
  const pieces: Buffer[] = []
  for (let at = 0; ; ) {
    const end = body.indexOf('\r\n', at)
    const size = Number.parseInt(body.subarray(at, end).toString().split(';')[0] ?? '0', 16)
    if (!(size > 0)) return Buffer.concat(pieces)
    pieces.push(body.subarray(end + 2, end + 2 + size))
    at = end + 2 + size + 2
  }
}
