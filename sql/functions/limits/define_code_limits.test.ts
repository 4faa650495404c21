// The rules that code declares, as each worker that starts brings them.
import { expect, test } from 'vitest'
import { defineLimit } from '../../../test/limits.ts'
import { openMeeting } from '../../../test/meeting.ts'
import { chain, registerPipeline, type Sql, untilBlocked } from '../../../test/protocol.ts'

const { database, one, other } = await openMeeting()

interface Declared {
  name: string
  settings: Record<string, unknown>
  targets: Record<string, string>[]
}

const declared = (name: string, capacity: number, ...targets: Record<string, string>[]): Declared => ({
  name,
  settings: { kind: 'concurrency', capacity },
  targets,
})

const define = (limits: Declared[], slugs: string[], sql: Sql = database) =>
  sql.query<{ name: string; change: string; revision: number }>(
    'select name, change, revision from millrace.define_code_limits($1, $2)',
    [JSON.stringify(limits), slugs],
  )

const targetsOf = async (name: string) => {
  const [row] = await database.query<{ targets: unknown; source: string; revision: number }>(
    'select targets, source, revision from millrace.list_limits($1)',
    [name],
  )
  return row
}

test('the same rules again change nothing and lock nothing', async () => {
  await registerPipeline(database, 'same', chain('only'))
  const rules = [
    declared('same-a', 5, { slug: 'same' }),
    declared('same-b', 2, { slug: 'same', step: 'only' }),
  ]
  expect(await define(rules, ['same'])).toEqual([
    { name: 'same-a', change: 'defined', revision: 1 },
    { name: 'same-b', change: 'defined', revision: 1 },
  ])
  await one.query('begin')
  await one.query("select 1 from millrace.limit_rule where name = 'same-a' for update")
  await one.query('lock table millrace.limit_rule in row exclusive mode')
  expect((await define(rules, ['same'])).map(({ change, revision }) => [change, revision])).toEqual([
    ['same', 1],
    ['same', 1],
  ])
  await one.query('commit')
  expect(await define([declared('same-a', 6, { slug: 'same' })], ['same'])).toEqual([
    { name: 'same-a', change: 'defined', revision: 2 },
    { name: 'same-b', change: 'removed', revision: 1 },
  ])
  expect(await define([], ['same'])).toEqual([{ name: 'same-a', change: 'removed', revision: 2 }])
})

test('a rule of the code of several workers holds for what all of them say', async () => {
  await define([declared('shared', 5, { slug: 'left' })], ['left'])
  await define([declared('shared', 5, { slug: 'right' })], ['right'])
  expect((await targetsOf('shared'))?.targets).toEqual([{ slug: 'left' }, { slug: 'right' }])
  expect(await define([declared('shared', 5, { slug: 'left' })], ['left'])).toEqual([
    { name: 'shared', change: 'same', revision: 2 },
  ])
  await define([], ['left'])
  expect((await targetsOf('shared'))?.targets).toEqual([{ slug: 'right' }])
  await define([], ['right'])
  expect(await targetsOf('shared')).toBe(undefined)
})

test("what an operator defined or changed stays the operator's, and the answer says so", async () => {
  await define([declared('theirs', 5, { slug: 'theirs' })], ['theirs'])
  await defineLimit(database, 'theirs', { kind: 'concurrency', capacity: 1 }, 'theirs')
  expect(await define([declared('theirs', 5, { slug: 'theirs' })], ['theirs'])).toEqual([
    { name: 'theirs', change: 'operator', revision: 2 },
  ])
  expect(await define([], ['theirs'])).toEqual([])
  expect(await targetsOf('theirs')).toMatchObject({ source: 'operator', revision: 2 })
})

test('a rule that becomes one of another kind takes the place of the old one', async () => {
  await define([declared('turned', 5, { slug: 'turned' })], ['turned'])
  const rate = {
    ...declared('turned', 5, { slug: 'turned' }),
    settings: { kind: 'rate', units: 100, per_ms: 60_000 },
  }
  expect(await define([rate], ['turned'])).toEqual([{ name: 'turned', change: 'defined', revision: 1 }])
  expect(await define([rate], ['turned'])).toEqual([{ name: 'turned', change: 'same', revision: 1 }])
})

test('two that start at once with rules of several pipelines come one after the other', async () => {
  const rules = ['a', 'b', 'c'].map((name) => declared(`both-${name}`, 3, { slug: 'both' }))
  await one.query('begin')
  await define(rules, ['both'], one)
  const meanwhile = define(rules.toReversed(), ['both'], other)
  await untilBlocked(database)
  await one.query('commit')
  expect((await meanwhile).map(({ revision }) => revision)).toEqual([1, 1, 1])
})
