// What a doctor thinks of a server, from the facts alone.
import { expect, test } from 'vitest'
import type { ServerFacts } from '../../db/diagnosis.ts'
import {
  checkClock,
  checkConnections,
  checkLogin,
  checkPooler,
  checkRoles,
  checkVersion,
  workerConnections,
} from './server.ts'

const noon = Date.UTC(2026, 10, 21, 12)
const server: ServerFacts = {
  version: '16.10',
  version_number: 160_010,
  now: new Date(noon),
  is_standby: false,
  connections_max: 97,
  connections_open: 10,
  connections_ours: 6,
}

test('a server before 15 and a standby are failures', () => {
  expect(checkVersion(server)).toMatchObject({ level: 'ok', message: 'PostgreSQL 16.10' })
  expect(checkVersion({ ...server, version: '14.9', version_number: 140_009 }).level).toBe('fail')
  expect(checkVersion({ ...server, is_standby: true }).level).toBe('fail')
})

test('K2 a minor release without the fixes that row security needs is a warning that names the one to go to', () => {
  for (const [version, version_number, to] of [
    ['15.13', 150_013, '15.14'],
    ['16.9', 160_009, '16.10'],
    ['17.5', 170_005, '17.6'],
  ] as const)
    expect(checkVersion({ ...server, version, version_number })).toMatchObject({
      level: 'warn',
      remedy: expect.stringContaining(to),
    })
  for (const version_number of [150_014, 160_010, 170_006, 180_000])
    expect(checkVersion({ ...server, version_number }).level).toBe('ok')
})

test('a clock within the time of the question agrees; two seconds off is a warning, half a day a failure', () => {
  expect(checkClock(server, noon + 40, 50)).toMatchObject({
    level: 'ok',
    message: "The clock agrees with the database's",
  })
  expect(checkClock(server, noon + 500, 50).message).toBe(
    "This machine's clock is 500 ms ahead of the database's",
  )
  expect(checkClock(server, noon - 5_000, 50).message).toContain(
    "This machine's clock is 5.0 s behind the database's",
  )
  expect(checkClock(server, noon - 5_000, 50).level).toBe('warn')
  expect(checkClock(server, noon - 86_400_000, 50).level).toBe('fail')
})

test('a pooler is a warning unless a direct address is there for notifications', () => {
  expect(checkPooler(false, false).level).toBe('ok')
  expect(checkPooler(true, true).level).toBe('ok')
  expect(checkPooler(true, false)).toMatchObject({
    level: 'warn',
    remedy: expect.stringContaining('directDatabase'),
  })
})

test('missing roles are named', () => {
  expect(checkRoles([]).level).toBe('ok')
  expect(checkRoles(['millrace_worker']).message).toBe('1 role is missing: millrace_worker.')
})

test('RR-13 what all workers may open is compared with what the server allows', () => {
  const worker = {
    id: '',
    name: 'w',
    host: 'h',
    process_id: 1,
    state: 'idle',
    slots: 20,
    queues: [],
    has_lock: true,
    silent_seconds: 0,
  }
  expect(workerConnections({})).toBe(30)
  expect(workerConnections({ slots: 8 })).toBe(18)
  expect(workerConnections({ slots: 400, connectionsMax: 5 })).toBe(15)
  expect(checkConnections(server, [worker], {})).toMatchObject({
    level: 'ok',
    message: '1 live worker and one more may open 60 connections, others hold 4, the server allows 97',
  })
  expect(checkConnections({ ...server, connections_open: 40 }, [worker], {}).level).toBe('warn')
  expect(checkConnections(server, [worker, worker, worker], {}).level).toBe('fail')
})

test('a login that may act as no role is a warning that says what to grant', () => {
  expect(checkLogin('viewer')).toMatchObject({ level: 'ok', message: 'The login may act as millrace_viewer' })
  expect(checkLogin(undefined)).toMatchObject({
    level: 'warn',
    remedy: expect.stringContaining('grant millrace_admin to app'),
  })
})
