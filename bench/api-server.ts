// Owns the server of the API that figures ask: in another process, over HTTP, with a key.
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { Pool } from 'undici'

const program = fileURLToPath(new URL('api-listener.mjs', import.meta.url))

export interface ApiServer {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  /** Asks, and gives what was answered as JSON; throws where it is no success. */
  readonly ask: (method: 'GET' | 'POST', path: string, body?: unknown) => Promise<unknown>
  /** What the server's process holds, in bytes, after it has collected what it holds no more. */
  readonly residentBytes: () => Promise<number>
}

/** A server for the time of `work`. */
export async function withApiServer<T>(
  options: { readonly database: string; readonly connections: number },
  work: (server: ApiServer) => Promise<T>,
): Promise<T> {
  const child = fork(program, {
    execArgv: ['--expose-gc'],
    env: { ...process.env, BENCH_LISTENER: JSON.stringify({ database: options.database }) },
  })
  const { port, key } = await told<{ port: number; key: string }>(child)
  const url = `http://127.0.0.1:${port}`
  const pool = new Pool(url, { connections: options.connections })
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' }
  try {
    return await work({
      url,
      headers,
      ask: async (method, path, body) => {
        const answer = await pool.request({
          path,
          method,
          headers,
          ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        })
        const text = await answer.body.text()
        if (answer.statusCode >= 300) throw new Error(`The server answered ${answer.statusCode}: ${text}`)
        return JSON.parse(text)
      },
      residentBytes: async () => {
        child.send('bytes')
        return (await told<{ bytes: number }>(child)).bytes
      },
    })
  } finally {
    await pool.close()
    const ended = once(child, 'exit')
    child.kill('SIGTERM')
    await ended
  }
}

async function told<T>(child: ChildProcess): Promise<T> {
  const [message] = (await once(child, 'message')) as [T]
  return message
}
