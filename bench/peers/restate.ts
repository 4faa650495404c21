// Restate: a server of its own that calls handlers over HTTP, and keeps a journal of their steps.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import http2 from 'node:http2'
import { createRequire } from 'node:module'
import net from 'node:net'
import path from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { Context } from '@restatedev/restate-sdk'
import type { Opened, OpenOptions, OwnServer, Peer, Task } from './peer.ts'

const pushes =
  'its server calls the address of a deployment and has no queue that workers read: what comes while none answers is tried again and again with growing pauses, and several processes need a balancer before them'
const callsAtOnceOfKey =
  'a virtual object runs one call of its key at a time, but its server calls as soon as something is put in: the row begins with all that wait, and then starts a worker'
const ownStore = 'its store is its own: what ended would have to be run before'
const callsAtOnce = 200
const startsWithinMs = 60_000

export const peer: Peer = {
  name: 'Restate',
  packages: ['@restatedev/restate-server', '@restatedev/restate-sdk', '@restatedev/restate-sdk-clients'],
  store: 'own',
  profiles: {
    best: 'one node, all roles, nothing is set but ports and telemetry: its log is fsynced (rocksdb-disable-wal-fsync = false), and its pages name no faster setting that keeps that; handlers over HTTP/2, calls over fetch, 200 at once for many; where nobody works, sends with a delay (its page on delayed calls), so that nothing is called',
  },
  keeps: 'each call and its journal for a day',
  takesOver: 'runs',
  cannot: {
    drain: pushes,
    'workers-2': pushes,
    'workers-4': pushes,
    'limit-one': pushes,
    'limit-10000': callsAtOnceOfKey,
    'noisy-tenant': pushes,
    'held-snapshot': ownStore,
    'growth-1m': ownStore,
    'growth-10m': ownStore,
  },
  serve,
  open,
}

/** Where its parts listen, and where it finds the handlers. */
interface Addresses {
  readonly ingress: string
  readonly admin: string
  readonly handlerPort: number
}

async function serve(folder: string): Promise<OwnServer> {
  const [ingress, admin, node, handlerPort] = (await freePorts(4)) as [number, number, number, number]
  const child = spawn(
    program(),
    ['--base-dir', folder, '--listen-mode', 'tcp', '--bind-ip', '127.0.0.1', '--no-logo'],
    {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: {
        ...process.env,
        // It is killed in the end, and would leave what it keeps there.
        TMPDIR: folder,
        RESTATE_INGRESS__BIND_PORT: String(ingress),
        RESTATE_ADMIN__BIND_PORT: String(admin),
        RESTATE_BIND_PORT: String(node),
        RESTATE_DISABLE_TELEMETRY: 'true',
        RUST_LOG: 'error',
      },
    },
  )
  let said = ''
  child.stderr.on('data', (text: Buffer) => (said = `${said}${text.toString()}`.slice(-4_000)))
  const addresses: Addresses = {
    ingress: `http://127.0.0.1:${ingress}`,
    admin: `http://127.0.0.1:${admin}`,
    handlerPort,
  }
  // Nobody stops it when the benchmark is interrupted.
  const end = () => child.kill('SIGKILL')
  process.once('exit', end)
  const stop = async () => {
    process.off('exit', end)
    if (child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    end()
    await ended
  }
  try {
    for (const url of [`${addresses.admin}/health`, `${addresses.ingress}/restate/health`]) await answers(url)
  } catch (error) {
    await stop()
    throw new Error(`The server of Restate does not start: ${said}`, { cause: error })
  }
  return { url: JSON.stringify(addresses), processId: child.pid!, stop }
}

/** The package of the machine's kind, without the launcher that would stand between us and its signals. */
function program(): string {
  const name = `@restatedev/restate-server-${process.platform}-${process.arch}`
  const found = createRequire(import.meta.url).resolve(`${name}/package.json`)
  return path.join(fs.realpathSync(path.dirname(found)), 'bin', 'restate-server')
}

async function open({ place, setup }: OpenOptions): Promise<Opened> {
  const [restate, clients] = await Promise.all([
    import('@restatedev/restate-sdk'),
    import('@restatedev/restate-sdk-clients'),
  ])
  const { ingress, admin, handlerPort } = JSON.parse(place.serverUrl) as Addresses
  let handler: (task: Task) => void | Promise<void> = () => {}
  let onFirstStep: () => void | Promise<void> = () => {}
  const tasks = restate.service({
    name: 'tasks',
    handlers: {
      run: (context: Context, task: Task) =>
        context.run('one', async () => {
          await handler(task)
          return { ok: 1 }
        }),
    },
  })
  const runs = restate.service({
    name: 'runs',
    handlers: {
      threeSteps: async (context: Context) => {
        await context.run('one', async () => {
          await onFirstStep()
          return { ok: 1 }
        })
        await context.run('two', () => ({ ok: 1 }))
        return context.run('three', () => ({ ok: 3 }))
      },
      fanOut: async (context: Context, width: number) => {
        const each = await restate.RestatePromise.all(
          Array.from({ length: width }, (_, n) => context.run('each', () => ({ ok: n }))),
        )
        return context.run('join', () => ({ ok: each.length }))
      },
      manySteps: async (context: Context, count: number) => {
        for (let n = 0; n < count; n++) await context.run('part', () => ({ ok: 1 }))
      },
    },
  })
  const endpoint = new Endpoint(
    restate.createEndpointHandler({ services: [tasks, runs], logger: () => {} }),
    handlerPort,
  )
  const connected = clients.connect({ url: ingress })
  const sender = connected.serviceSendClient<typeof tasks>({ name: 'tasks' })
  const caller = connected.serviceClient<typeof runs>({ name: 'runs' })
  // Nobody would answer: it waits for longer than such a row takes, instead of being called and refused.
  const later = setup.noWorkers === true ? [clients.SendOpts.from<Task>({ delay: { hours: 1 } })] : []
  const enqueue = async (task: Task) => {
    await sender.run(task, ...later)
  }
  return {
    prepare: async () => {
      await endpoint.listen()
      await register(admin, handlerPort)
      await endpoint.close()
    },
    enqueue,
    enqueueMany: async (given) => {
      let next = 0
      const lane = async () => {
        while (next < given.length) await enqueue(given[next++]!)
      }
      await Promise.all(Array.from({ length: callsAtOnce }, lane))
    },
    startWorker: async (options) => {
      handler = options.handler
      await endpoint.listen()
      return { stop: () => endpoint.close() }
    },
    allRecorded: async () => {
      const answer = await fetch(`${admin}/query`, {
        method: 'POST',
        headers: { accept: 'application/json', 'content-type': 'application/json' },
        body: JSON.stringify({
          query: `select count(1) as live from sys_invocation where status <> 'completed'`,
        }),
      })
      const { rows } = (await answer.json()) as { rows: [{ live: number }] }
      return rows[0].live === 0
    },
    startDurable: async (options) => {
      onFirstStep = options.onFirstStep ?? (() => {})
      if (options.role !== 'client') await endpoint.listen()
      return {
        threeSteps: async () => {
          await caller.threeSteps()
        },
        fanOut: async (width) => {
          await caller.fanOut(width)
        },
        manySteps: async (count) => {
          await caller.manySteps(count)
        },
        stop: () => endpoint.close(),
      }
    },
    close: () => endpoint.close(),
  }
}

type Handler = (request: http2.Http2ServerRequest, response: http2.Http2ServerResponse) => void

/** The address of the handlers: whoever of several processes lives answers there, as behind a balancer. */
class Endpoint {
  readonly #handler: Handler
  readonly #port: number
  readonly #sessions = new Set<http2.Http2Session>()
  #server: http2.Http2Server | undefined

  constructor(handler: Handler, port: number) {
    this.#handler = handler
    this.#port = port
  }

  async listen(): Promise<void> {
    const server = http2.createServer(this.#handler)
    server.on('session', (session) => {
      this.#sessions.add(session)
      session.once('close', () => this.#sessions.delete(session))
    })
    this.#server = server
    server.listen({ port: this.#port, host: '127.0.0.1', reusePort: true })
    await once(server, 'listening')
  }

  async close(): Promise<void> {
    const server = this.#server
    this.#server = undefined
    if (server === undefined) return
    const closed = once(server, 'close')
    server.close()
    for (const session of this.#sessions) session.destroy()
    await closed
  }
}

async function register(admin: string, handlerPort: number): Promise<void> {
  const answer = await fetch(`${admin}/deployments`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ uri: `http://127.0.0.1:${handlerPort}`, force: true }),
  })
  if (!answer.ok) throw new Error(`Restate refuses the handlers: ${answer.status} ${await answer.text()}`)
}

async function answers(url: string): Promise<void> {
  const ends = performance.now() + startsWithinMs
  for (;;) {
    const answer = await fetch(url).catch(() => undefined)
    if (answer?.ok === true) return
    if (performance.now() > ends) throw new Error(`${url} does not answer.`)
    await pause(50)
  }
}

/** Held together, so that all of them are different. */
async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => net.createServer().listen(0, '127.0.0.1'))
  await Promise.all(servers.map((server) => once(server, 'listening')))
  const ports = servers.map((server) => (server.address() as net.AddressInfo).port)
  await Promise.all(servers.map((server) => once(server.close(), 'close')))
  return ports
}
