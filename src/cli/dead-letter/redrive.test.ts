// Dead letters that are redriven one by one: what became of each is told, whatever became of another.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Caller, openFolder } from '../../../test/commands.ts'
import { createTestDatabase, type TestDatabase } from '../../../test/database.ts'
import { workAs } from '../../../test/failing-worker.ts'
import { chain, registerPipeline, registerWorker, startRun } from '../../../test/protocol.ts'

let database: TestDatabase
let folder: Caller
beforeAll(async () => {
  database = await createTestDatabase()
  folder = openFolder({ DATABASE_URL: database.url })
})
afterAll(async () => {
  folder.close()
  await database.close()
})

async function failedRuns(count: number): Promise<string[]> {
  await registerPipeline(database, 'letters', chain('send'))
  const worker = await registerWorker(database)
  const runs: string[] = []
  for (let made = 0; made < count; made++) runs.push((await startRun(database, 'letters', {})).run_id)
  await workAs(database, worker, () => ({ fails: 'No route.' }))
  return runs
}

test('a run that is not there is refused for itself, and what was done before another failure is told', async () => {
  const [first, second, third] = (await failedRuns(3)) as [string, string, string]
  const unknown = '01a1fc9e-5f80-77ff-8c73-f01c878af2ee'
  const told = await folder.call('dead-letter', 'redrive', first, unknown, second)
  expect(told).toEqual({
    status: 4,
    stdout: [
      `Run ${first} goes on where it had failed.`,
      `Run ${unknown} was not redriven (run_unknown): There is no run ${unknown}.`,
      `Run ${second} goes on where it had failed.`,
      '2 runs redriven, 1 refused.\n',
    ].join('\n'),
    stderr: '',
  })

  const [fourth] = (await failedRuns(1)) as [string]
  await database.query(`
    create function refuse_fourth() returns trigger language plpgsql as $$
    begin
      if new.filter::text like '%${fourth}%' then raise exception 'no more today'; end if;
      return new;
    end $$`)
  await database.query(
    'create trigger refuse_fourth before insert on millrace.redrive for each row execute function refuse_fourth()',
  )
  const stopped = await folder.call('dead-letter', 'redrive', third, fourth, '--json')
  expect(stopped).toMatchObject({ status: 1, stderr: expect.stringContaining('no more today') })
  expect(JSON.parse(stopped.stdout)).toMatchObject([{ of: third, redriven: true }])
})
