// A rule that is removed: nobody waits for it any more, and what is held of it is given back to nobody.
import { expect, test } from 'vitest'
import { defineLimit, limitsOf } from '../../../test/limits.ts'
import { openMeeting } from '../../../test/meeting.ts'
import { workerOf } from '../../../test/pipeline-worker.ts'
import { chain, claim, complete, startRun } from '../../../test/protocol.ts'

const { database } = await openMeeting()

const remove = async (name: string, expected: number | null = null) => {
  const [row] = await database.query<{ removed: boolean }>(
    'select millrace.remove_limit($1, $2) as removed',
    [name, expected],
  )
  return row!.removed
}

test('what waited for a rule goes on when it is removed, and what held it ends as always', async () => {
  const worker = await workerOf(database, 'freed', chain('only'))
  await defineLimit(database, 'freed', { kind: 'concurrency', capacity: 1 }, 'freed')
  for (let n = 0; n < 3; n++) await startRun(database, 'freed')
  const held = await claim(database, worker, 10)
  expect(held).toHaveLength(1)
  expect(await remove('freed')).toBe(true)
  const rest = await claim(database, worker, 10)
  expect(rest).toHaveLength(2)
  await complete(
    database,
    worker,
    [...held, ...rest].map((task) => ({ task })),
  )
  expect(await limitsOf(database, 'freed')).toEqual([])
})

test('a rule that is not there is no error, and one that was changed since is not removed', async () => {
  expect(await remove('nothing')).toBe(false)
  await defineLimit(database, 'kept', { kind: 'concurrency', capacity: 1 }, 'kept')
  await defineLimit(database, 'kept', { kind: 'concurrency', capacity: 2 }, 'kept')
  await expect(remove('kept', 1)).rejects.toMatchObject({ code: 'MR030' })
  expect(await remove('kept', 2)).toBe(true)
})
