// Bytes in a store of one's own that no artifact shows any more: one that the store won't remove holds up none behind it.
import { afterEach, expect, test, vi } from 'vitest'
import { openMillrace } from '../../test/millrace.ts'
import { poolCaller } from '../db/call.ts'
import type { ArtifactStore } from '../sdk/artifact-store.ts'
import { pipeline } from '../sdk/pipeline.ts'
import { clearAway } from './housekeeping.ts'

const { database, opened } = await openMillrace()
afterEach(() => {
  vi.useRealTimers()
})

/** A store that keeps its objects in memory, in the order in which they came. */
function memoryStore(name: string) {
  const objects = new Set<string>()
  const store: ArtifactStore = {
    name,
    write: async (location, bytes) => {
      for await (const _ of bytes);
      objects.add(location)
    },
    read: () => Promise.reject(new Error('nobody reads here')),
    remove: async (location) => {
      objects.delete(location)
    },
  }
  return { objects, store }
}

/** Three objects that were replaced, and the one that took their place. */
async function fill(store: ArtifactStore): Promise<void> {
  const writing = pipeline(`clears-${store.name}`).step('write', async ({ artifacts }) => {
    for (const text of ['first', 'second', 'third', 'last']) await artifacts.write('a', text)
  })
  await opened.worker({ pipelines: [writing], artifacts: store })
  const client = opened.client({ artifacts: store })
  const { run } = await client.start(writing, null)
  await client.run(run!).result()
  await opened.close()
  await database.clock.advance('11 minutes')
}

const caller = () => poolCaller(database.pool, { prepare: false, database: 'test' })
const leftIn = async (store: ArtifactStore) =>
  (await database.query('select from millrace.artifact_upload where store = $1 and is_left', [store.name]))
    .length

test('what a store refuses to remove is told, and stays; those behind it go', async () => {
  const { objects, store } = memoryStore('holding')
  await fill(store)
  const [held] = objects
  const told: unknown[] = []
  const remove = (location: string) =>
    location === held ? Promise.reject(new Error('a legal hold')) : store.remove(location)
  await clearAway(
    caller(),
    { ...store, remove },
    () => true,
    (error) => told.push(error),
  )
  expect(told).toEqual([
    expect.objectContaining({
      code: 'artifact_store_failed',
      message: expect.stringContaining('a legal hold'),
    }),
  ])
  expect(objects.size).toBe(2)
  expect(await leftIn(store)).toBe(1)
  await clearAway(
    caller(),
    store,
    () => true,
    (error) => told.push(error),
  )
  expect(objects.size).toBe(1)
  expect(told).toHaveLength(1)
})

test('a store that says nothing is left until another time', async () => {
  const { objects, store } = memoryStore('silent')
  await fill(store)
  const told: unknown[] = []
  let asked = 0
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  const silent = {
    ...store,
    remove: () => {
      asked++
      queueMicrotask(() => vi.advanceTimersByTime(30_000))
      return new Promise<void>(() => {})
    },
  }
  await clearAway(
    caller(),
    silent,
    () => true,
    (error) => told.push(error),
  )
  expect(asked).toBe(1)
  expect(told).toEqual([
    expect.objectContaining({ message: expect.stringContaining('not answered for 30 s') }),
  ])
  expect(objects.size).toBe(4)
  expect(await leftIn(store)).toBe(3)
})
