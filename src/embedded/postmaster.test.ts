// Whether a pid file's server lives, where the system doesn't tell in which folder a process stands, as on macOS and Windows.
import { once } from 'node:events'
import fs from 'node:fs'
import net from 'node:net'
import path from 'node:path'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { until } from '../../test/deadline.ts'
import { makeReachableFolder } from '../../test/reachable-folder.ts'
import type { Place } from './place.ts'
import { findPostmaster } from './postmaster.ts'

let data: string
let server: net.Server
let port: number
let answers: ((socket: net.Socket) => void)[]

beforeEach(async () => {
  data = makeReachableFolder()
  answers = []
  server = net.createServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', () => (answers.shift() ?? well)(socket))
  })
  await listen(0)
  port = (server.address() as net.AddressInfo).port
  const stat = fs.statSync
  vi.spyOn(fs, 'statSync').mockImplementation(((file: string, options: object) => {
    if (file.startsWith('/proc/')) throw new Error('ENOENT')
    return stat(file, options)
  }) as typeof stat)
})

afterEach(() => {
  vi.restoreAllMocks()
  server.close()
  fs.rmSync(data, { recursive: true, force: true })
})

async function listen(at: number): Promise<void> {
  server.listen(at, '127.0.0.1')
  await once(server, 'listening')
}

const well = (socket: net.Socket): void => void socket.end('N')
const find = () => findPostmaster({ data, logFile: path.join(data, 'log') } as Place)
const pidFile = () => path.join(data, 'postmaster.pid')

/** As a postmaster does; the process is a living one. */
function writePidFile(status: string): void {
  fs.writeFileSync(
    pidFile(),
    [process.pid, data, 1_700_000_000, port, '', '127.0.0.1', '1 2', status, ''].join('\n'),
  )
}

it('is asked again where it said nothing, and keeps its file', async () => {
  writePidFile('ready   ')
  answers = [(socket) => socket.destroy(), () => {}]
  expect(await find()).toEqual({ pid: process.pid, port })
  expect(answers).toEqual([])
  expect(fs.existsSync(pidFile())).toBe(true)
})

it('may have written its file before it listens', async () => {
  server.close()
  writePidFile('')
  const asked = vi.spyOn(net, 'connect')
  const found = find()
  await until('it was refused', () => asked.mock.calls.length > 1)
  await listen(port)
  writePidFile('ready   ')
  expect(await found).toEqual({ pid: process.pid, port })
})

it('is gone where nobody listens, and where somebody else does', async () => {
  writePidFile('ready   ')
  answers = [(socket) => socket.end('HTTP/1.1 400 Bad Request')]
  expect(await find()).toBeUndefined()
  expect(fs.existsSync(pidFile())).toBe(false)
  server.close()
  writePidFile('ready   ')
  expect(await find()).toBeUndefined()
  expect(fs.existsSync(pidFile())).toBe(false)
})

it('is gone where it died before it listened, and its number is somebody else’s', async () => {
  server.close()
  writePidFile('')
  const longAgo = new Date(Date.now() - 61_000)
  fs.utimesSync(pidFile(), longAgo, longAgo)
  expect(await find()).toBeUndefined()
})
