// Watched tables with real workers: registered as a set, told at once, cut where a step closes a loop, and filled with what was there.
import pg from 'pg'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { until } from '../../test/deadline.ts'
import { openMillrace } from '../../test/millrace.ts'
import { applyWatches } from '../../test/watched.ts'
import { pipeline } from '../sdk/pipeline.ts'
import { type Change, watch } from '../sdk/watch.ts'

const { database, opened } = await openMillrace()

const change = z.custom<Change>()

test('FO-1 a committed change starts its pipeline at once, and a worker says of a watch that is not applied', async () => {
  await database.query('create table person (id int primary key, title text)')
  const told: Change[] = []
  const enrich = pipeline('enrich-person', { input: change }).step(
    'note',
    ({ input }) => void told.push(input),
  )
  const triggers = [watch('person', { pipeline: enrich, name: 'persons', columns: ['title'] })]
  await opened.worker({ pipelines: [enrich], triggers })
  expect(opened.log).toContainEqual({
    level: 'warn',
    message:
      "Watch 'persons' misses changes, or refuses them: it is not applied. See npx millrace watch plan",
  })
  await applyWatches(database)
  await database.query("insert into person values (1, 'CTO')")
  await until('the change is told', () => told.length === 1)
  expect(told[0]).toMatchObject({
    operation: 'insert',
    key: { id: 1 },
    new: { title: 'CTO' },
    watch: 'persons',
    table: 'public.person',
  })
  const [event] = await database.query("select detail from millrace.event where kind = 'run.triggered'")
  expect(event).toMatchObject({
    detail: { by: 'change', watch: 'persons', operation: 'insert', key: { id: 1 }, changes: 1 },
  })
})

test('FO-1 what code declares no more is retired, and starts nothing; its triggers go when it is applied', async () => {
  const enrich = pipeline('enrich-person', { input: change }).step('note', () => 1)
  await opened.worker({ pipelines: [enrich] })
  expect(await opened.client().watches.list()).toMatchObject([
    { name: 'persons', retiredAt: expect.any(Date) as Date },
  ])
  await database.query("insert into person values (2, 'CTO')")
  await applyWatches(database)
  expect(await opened.client().watches.list()).toEqual([])
  expect(await database.query("select tgname from pg_trigger where tgrelid = 'person'::regclass")).toEqual([])
})

test.each(['tx', 'writes'] as const)(
  'FO-1 G5 a step that writes (%s) starts other pipelines, and is cut where it would start itself for ever',
  async (kind) => {
    const table = `note_${kind}`
    await database.query(`create table ${table} (id int primary key, n int)`)
    await database.query(
      `create table ${table}_log (id int generated always as identity primary key, note int)`,
    )
    const logged: unknown[] = []
    const follow = pipeline(`follow-${kind}`, { input: change }).step(
      'log',
      ({ input }) => void logged.push(input.new?.['note']),
    )
    const count = pipeline(`count-${kind}`, { input: change }).step(
      'count',
      { [kind]: true } as { tx: true },
      async ({ input, sql }) => {
        const text = (parts: string[]) =>
          Object.assign(parts, { raw: parts }) as unknown as TemplateStringsArray
        await sql(text([`update ${table} set n = n + 1 where id = `, '']), input.key?.['id'])
        await sql(text([`insert into ${table}_log (note) values (`, ')']), input.key?.['id'])
      },
    )
    const triggers = [
      watch(table, { pipeline: count, name: `counted-${kind}` }),
      watch(`${table}_log`, { pipeline: follow, name: `followed-${kind}` }),
    ]
    await opened.worker({ pipelines: [count, follow], triggers })
    await applyWatches(database)
    await database.query(`insert into ${table} values (7, 0)`)
    await until('the other pipeline was started', () => logged.length === 1)
    const shown = await until('the loop is cut', async () => {
      const watched = await opened.client().watches.show(`counted-${kind}`)
      return watched.loopsCut === 1 && watched
    })
    expect(shown).toMatchObject({ runsStarted: 1, waiting: 0, lastCut: { key: { id: 7 } } })
    expect(await database.query(`select n from ${table}`)).toEqual([{ n: 1 }])
  },
)

test('F6 a writer tells a sleeping worker once a transaction, and nothing of the change', async () => {
  await database.query('create table quiet (id int primary key, body text)')
  const idle = pipeline('quiet-one', { input: change }).step('note', () => 1)
  await opened.worker({
    pipelines: [idle],
    triggers: [watch('quiet', { pipeline: idle, name: 'quiet-ones' })],
  })
  await applyWatches(database, 'quiet-ones')
  const listener = new pg.Client(database.url)
  listener.on('error', () => {})
  await listener.connect()
  const heard: [string, string][] = []
  listener.on(
    'notification',
    ({ channel, payload }) => void (payload !== '' && heard.push([channel, payload ?? ''])),
  )
  await listener.query('listen millrace_wake')
  await until(
    'the worker sleeps',
    async () => (await database.query('select from millrace.worker where sleeping')).length > 0,
  )
  await database.query("insert into quiet select i, repeat('x', 8000) from generate_series(1, 50) i")
  await until('it was notified', () => heard.length > 0)
  expect(heard).toEqual([['millrace_wake', 'change']])
  await listener.end()
})

test('rows that are there already are told in batches, with which any worker goes on where another has left off', async () => {
  await database.query('create table stock (id int, part text, n int, primary key (id, part))')
  await database.query("insert into stock select i, 'a', i from generate_series(1, 1200) i")
  const fill = pipeline('fill-stock', { input: change }).step('note', () => 1)
  const triggers = [watch('stock', { pipeline: fill, name: 'stocks', values: ['n'] })]
  const registering = await opened.worker({ pipelines: [fill], triggers })
  await registering.stop({ force: true })
  await applyWatches(database, 'stocks')
  const { watches } = opened.client()
  const { id } = await watches.backfill('stocks', 'n > 100')
  const stopped = await watches.backfill('stocks', 'n < 50')
  expect(await watches.abortBackfill(stopped.id)).toBe(true)
  expect(await watches.abortBackfill(stopped.id)).toBe(false)
  await expect(watches.backfill('stocks', 'no_such_column > 1')).rejects.toThrow('no_such_column')
  await database.query('select millrace.work_backfills(500)')
  await opened.worker({ pipelines: [fill], triggers })
  await until('all are told', async () => {
    const { runsStarted, backfills } = await watches.show('stocks')
    return (
      runsStarted === 1_100 &&
      backfills.some((one) => one.id === id && one.state === 'done' && one.done === 1_100)
    )
  })
  expect(
    await database.query(
      "select count(distinct input -> 'key') as keys, min((input #>> '{new,n}')::int) as least from millrace.run where slug = 'fill-stock' and input ->> 'operation' = 'backfill'",
    ),
  ).toEqual([{ keys: '1100', least: 101 }])
}, 60_000)

test('a watch maps every part of a change, also what was emptied and what was left out', async () => {
  await database.query('create table emptied_here (id int primary key, body text)')
  const told: unknown[] = []
  const note = pipeline('note-parts', {
    input: z.object({ operation: z.string(), emptied: z.unknown(), leftOut: z.unknown() }),
  }).step('note', ({ input }) => void told.push(input))
  const map = { operation: 'operation', emptied: 'emptied', leftOut: 'leftOut' }
  const triggers = [watch('emptied_here', { pipeline: note, on: ['insert', 'truncate'], map })]
  await opened.worker({ pipelines: [note], triggers })
  await applyWatches(database)
  await database.query("insert into emptied_here values (1, repeat('long ', 20000))")
  await until('the insert is told', () => told.length === 1)
  await database.query('truncate emptied_here')
  await until('the truncate is told', () => told.length === 2)
  expect(told).toEqual([
    { operation: 'insert', leftOut: { body: 'too large' } },
    { operation: 'truncate', emptied: ['public.emptied_here'] },
  ])
})

test('a watch with a mistake is refused where it is written', () => {
  const slug = 'enrich-person'
  const refused = (table: string, options: object) =>
    expect(() => watch(table, { pipeline: slug, ...options })).toThrow(
      expect.objectContaining({ code: 'watch_invalid' }),
    )
  refused('a.b.c', {})
  refused('person', { on: ['upsert'] })
  refused('person', { coalesce: '2d' })
  refused('person', { map: { title: 'row.title' } })
  refused('person', { map: { title: ['new.title', 'new.name'] } })
  refused('person', { order: 'keys' })
  refused('person', { onCaptureFailure: 'record' })
  refused('person', { column: ['title'] })
  expect(watch('Sales.Person', { pipeline: slug })).toMatchObject({ name: 'sales-person-enrich-person' })
})
