// Who mends what: a fault that fails half-way ends none of another lane.
import { expect, test } from 'vitest'
import { Nemesis } from './nemesis.ts'
import type { Plan } from './plan.ts'
import type { Stage } from './stage.ts'

const none: Plan = { workers: [], server: [], ends: [] }
const now = { at: 0, seat: 0, strength: 0 }
const fails = () => {
  throw new Error('not today')
}

/** How often the server was started again, the last time when all was over. */
async function mended(plan: Plan): Promise<{ times: number; missed: readonly string[] }> {
  let times = 0
  const server = {
    start: () => Promise.resolve(times++),
    query: () => Promise.resolve([]),
    configure: () => Promise.resolve(),
  }
  const proxy = { cut: fails, delay: () => {}, heal: () => {} }
  const parts = { server, proxy, pooler: { kill: fails }, seats: [] }
  const nemesis = new Nemesis({ parts } as unknown as Stage, { leaseSeconds: 1, tell: () => {} })
  await nemesis.carryOut(plan, 10_000)
  return { times, missed: nemesis.missed.map(({ kind, reason }) => `${kind}: ${reason}`) }
}

test('a fault of a worker that is not to be had leaves the fault of the server as it is', async () => {
  expect(await mended({ ...none, workers: [{ kind: 'connections reset', ...now }] })).toEqual({
    times: 1,
    missed: ['connections reset: not today'],
  })
})

test('after a fault of the server that is not to be had the server is mended', async () => {
  expect(await mended({ ...none, server: [{ kind: 'pooler killed', ...now }] })).toEqual({
    times: 2,
    missed: ['pooler killed: not today'],
  })
})
