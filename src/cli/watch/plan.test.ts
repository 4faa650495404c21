// Watches on the command line: planned, applied, listed, shown, paused, filled and removed, within 80 columns; and what a doctor says.
import fs from 'node:fs'
import path from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { openFolder } from '../../../test/commands.ts'
import { openMillrace } from '../../../test/millrace.ts'
import { chain, registerPipeline } from '../../../test/protocol.ts'
import { tellAll } from '../../../test/watched.ts'

const { database, opened } = await openMillrace()
const folder = openFolder({ DATABASE_URL: database.url })
afterAll(() => folder.close())

const isNarrow = (text: string) => text.split('\n').every((line) => line.length <= 80)

test('a watch is planned, applied, listed, shown, paused, filled, repaired and removed', async () => {
  expect((await folder.call('watch', 'list')).stdout).toBe('There is no watch.\n')
  expect((await folder.call('watch', 'plan')).stdout).toBe('There is no watch.\n')
  await database.query('create table people (id int primary key, title text)')
  await registerPipeline(database, 'enrich', chain('only'))
  const { watches } = opened.client()
  await watches.define('people', 'people', { pipeline: 'enrich', columns: ['title'] })
  const plan = await folder.call('watch', 'plan')
  expect(plan.stdout).toContain('Watch people is not applied. To install:')
  expect(plan.stdout).toContain(
    'after update on public.people for each row when ((old.title is distinct from new.title))',
  )
  expect((await folder.call('watch', 'list')).stdout).toContain('Watch people: it is not applied.')
  expect((await folder.call('watch', 'apply')).stdout).toBe('Watch people is applied.\n')
  expect((await folder.call('watch', 'apply', 'people')).stdout).toBe(
    'Watch people is applied as it is now.\n',
  )
  await database.query("insert into people values (1, 'CTO'), (2, 'CEO')")
  const listed = await folder.call('watch', 'list')
  expect(listed.stdout).toMatch(/people +public\.people +enrich +applied +2/)
  expect(isNarrow(listed.stdout)).toBe(true)
  await tellAll(database)
  const shown = await folder.call('watch', 'show', 'people')
  expect(shown.stdout).toContain(
    'people: insert, update, delete of title in public.people start enrich; it is an',
  )
  expect(shown.stdout).toContain('Told: 2 changes in 2 runs; 0 came to nothing.')
  expect(isNarrow(shown.stdout)).toBe(true)
  const [run] = await database.query<{ id: string }>(
    "select id from millrace.run where input #>> '{key,id}' = '1'",
  )
  await database.query(
    `do $$ begin perform set_config('millrace.origin', '${run?.id}', true); update people set title = 'Chair' where id = 1; end $$`,
  )
  await tellAll(database)
  expect((await folder.call('watch', 'show', 'people')).stdout).toContain(
    'Loops cut: 1 change; the last one by run',
  )
  const account = (await folder.call('run', 'account', run?.id ?? '')).stdout
  expect(account.replaceAll(/\s+/g, ' ')).toContain(
    'cut a loop: a change by this run would have started again what had led to it',
  )
  expect((await folder.call('watch', 'pause', 'people')).stdout).toBe('Watch people is paused.\n')
  expect((await folder.call('watch', 'pause', 'people')).stdout).toBe('Watch people is paused already.\n')
  expect((await folder.call('watch', 'resume', 'people')).stdout).toBe('Watch people is going on.\n')
  const filled = await folder.call('watch', 'backfill', 'people', '--where', 'id > 1', '--json')
  const { id } = JSON.parse(filled.stdout) as { id: number }
  await tellAll(database)
  expect((await folder.call('watch', 'show', 'people')).stdout).toContain(
    `Backfill ${id}, where id > 1: done, 1 row.`,
  )
  expect((await folder.call('watch', 'backfill', 'people', '--abort', String(id))).stdout).toBe(
    `Backfill ${id} had ended already.\n`,
  )
  await database.query('alter table people add column seen int')
  expect((await folder.call('watch', 'plan', 'people')).stdout).toContain(
    'Watch people is not as it should be. To repair:',
  )
  expect((await folder.call('watch', 'apply', 'people')).stdout).toBe('Watch people is repaired.\n')
  expect((await folder.call('watch', 'remove', 'people')).stdout).toBe('Watch people is removed.\n')
  expect(await database.query("select from pg_trigger where tgrelid = 'people'::regclass")).toEqual([])
  expect(await database.query("select from pg_proc where proname ~ '^(capture|backfill)_[0-9]'")).toEqual([])
  for (const verb of ['show', 'pause', 'remove', 'plan', 'apply', 'backfill'])
    expect(await folder.call('watch', verb, 'people')).toMatchObject({ status: 4 })
})

test('a watch on a table that is not there, or has no key, is said, and the others are applied', async () => {
  const { watches } = opened.client()
  await watches.define('none', 'nowhere', { pipeline: 'enrich' })
  await database.query('create table keyless (id int)')
  await watches.define('keyless', 'keyless', { pipeline: 'enrich' })
  const applied = await folder.call('watch', 'apply')
  expect(applied).toMatchObject({ status: 1 })
  expect(applied.stdout).toContain("Watch none can't be applied: there is no table public.nowhere.")
  expect(applied.stdout).toContain("Watch keyless can't be applied: it has no primary key")
  await watches.remove('none')
  await watches.define('keyless', 'keyless', { pipeline: 'enrich', key: 'id', ifRevision: 1 })
  await expect(
    watches.define('keyless', 'keyless', { pipeline: 'enrich', ifRevision: 1 }),
  ).rejects.toMatchObject({ code: 'revision_conflict' })
  expect((await folder.call('watch', 'apply')).stdout).toBe('Watch keyless is applied.\n')
})

test('who may not create triggers on the table is told what is missing, and nothing is installed', async () => {
  await database.query("create role clerk login in role millrace_operator password 'clerk'")
  const url = new URL(database.url)
  url.username = 'clerk'
  url.password = 'clerk'
  await database.query('create table closed (id int primary key)')
  await opened.client().watches.define('closed', 'closed', { pipeline: 'enrich' })
  const refused = await folder.call('watch', 'apply', 'closed', '--database', url.href)
  await database.query('drop role clerk')
  expect(refused).toMatchObject({ status: 2 })
  expect(refused.stderr).toContain("This login can't change what is installed of watch 'closed'")
  expect((await opened.client().watches.show('closed')).installedAt).toBeNull()
})

test('where one watch can not be applied, those before it are told, and a configuration that does not load has nothing done', async () => {
  await database.query('create table a_free (id int primary key)')
  const { watches } = opened.client()
  await watches.define('a-free', 'a_free', { pipeline: 'enrich' })
  folder.write('millrace.config.ts', "throw new Error('it does not load')")
  expect(await folder.call('watch', 'apply', '--database', database.url)).toMatchObject({
    status: 2,
    stdout: '',
  })
  fs.rmSync(path.join(folder.folder, 'millrace.config.ts'))
  expect((await watches.show('a-free')).installedAt).toBeNull()

  await database.query(`
    create function refuse_closed() returns trigger language plpgsql as $$
    begin
      if new.name = 'closed' then raise exception 'not today'; end if;
      return new;
    end $$`)
  await database.query(
    'create trigger refuse_closed before update on millrace.change_watch for each row execute function refuse_closed()',
  )
  const stopped = await folder.call('watch', 'apply', '--json')
  await database.query('drop function refuse_closed cascade')
  expect(stopped).toMatchObject({ status: 1, stderr: expect.stringContaining('not today') })
  expect(JSON.parse(stopped.stdout)).toEqual({ applied: ['a-free'] })
  expect(await folder.call('watch', 'remove', 'a-free')).toMatchObject({ status: 0 })
})

test('G4 doctor finds a watch that misses changes, settings that switch row triggers off, and gaps', async () => {
  const told = async () => {
    const { stdout } = await folder.call('doctor', '--json')
    const { findings } = JSON.parse(stdout) as {
      findings: { check: string; level: string; message: string }[]
    }
    return findings.find(({ check }) => check === 'changes')
  }
  expect(await told()).toMatchObject({
    level: 'warn',
    message: 'Watch closed misses changes, or refuses them: it is not applied.',
  })
  await folder.call('watch', 'apply')
  expect(await told()).toMatchObject({ level: 'ok', message: '2 watched tables record each change' })
  const [{ name } = { name: '' }] = await database.query<{ name: string }>(
    'select current_database() as name',
  )
  await database.query(`alter database ${name} set session_replication_role = replica`)
  expect((await told())?.message).toContain(`off for database ${name} (session_replication_role = replica)`)
  await database.query(`alter database ${name} reset session_replication_role`)
  await database.query('alter table closed disable trigger user')
  expect((await told())?.message).toMatch(/trigger millrace_\d+_delete is disabled on public\.closed/)
  await folder.call('watch', 'apply')
  await database.query(
    "insert into millrace.change_gap (watch_id, transaction, at, sqlstate, message) select id, pg_current_xact_id(), now(), '53100', 'no space' from millrace.change_watch where name = 'closed'",
  )
  expect(await told()).toMatchObject({
    level: 'warn',
    message: expect.stringContaining('has 1 gap') as string,
  })
})
