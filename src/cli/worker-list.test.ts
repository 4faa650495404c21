// What people see of work under way on the command line: priority, dead letters, progress, the health of workers, and the stream of a run.
import { afterAll, expect, test } from 'vitest'
import { openFolder } from '../../test/commands.ts'
import { until } from '../../test/deadline.ts'
import { Arrival, openMillrace } from '../../test/millrace.ts'
import { pipeline } from '../sdk/pipeline.ts'
import { z } from 'zod'

const { database, opened } = await openMillrace()
const folder = openFolder({ DATABASE_URL: database.url })
afterAll(() => folder.close())

test('without a worker the list says so, and how to start one', async () => {
  expect(await folder.call('worker', 'list')).toEqual({
    status: 0,
    stdout: 'No worker is alive. Start one with: npx millrace worker\n',
    stderr: '',
  })
  expect((await folder.call('worker', 'list', '--json')).stdout).toBe('[]\n')
})

test('FO-7 priority, dead letters, progress and the health of the worker are all there to see', async () => {
  const [began, goOn] = [new Arrival(), new Arrival()]
  const order: string[] = []
  const work = pipeline('work', { input: z.string(), retry: { attempts: 1 } }).step(
    'do',
    async ({ input, progress, metric, setMetadata }) => {
      order.push(input)
      if (input === 'broken') throw new Error('it can not be done')
      if (input !== 'first') return
      progress(30, 120, 'page 3')
      metric('members_found', 7)
      setMetadata({ source: 'a.csv' })
      began.arrive()
      await goOn.come
    },
  )
  const held = await opened.worker({ pipelines: [work], slots: 1, name: 'worker-7' })
  const client = opened.client()
  const { run: first } = await client.start(work, 'first')
  await began.come
  const later = [
    await client.start(work, 'low', { priority: 9 }),
    await client.start(work, 'broken', { priority: 8 }),
    await client.start(work, 'high', { priority: 1 }),
  ].map(({ run }) => run!.id)
  await until('its words are stored', async () => (await client.run(first!).progress()).metrics.length === 1)

  await held.tick()
  const { stdout: workers } = await folder.call('worker', 'list')
  expect(workers).toMatch(/worker-7 +running +1 +all /)
  const [worker] = JSON.parse((await folder.call('worker', 'list', '--json')).stdout) as [
    { state: string; silent_seconds: number },
  ]
  expect(worker).toMatchObject({ state: 'running' })
  expect(worker.silent_seconds).toBeLessThan(10)

  const { stdout: shown } = await folder.call('run', 'show', first!.id)
  expect(shown).toContain('progress  do: 30 of 120 (25 %), page 3')
  expect(shown).toContain('members_found: 7')
  expect(shown).toContain('source: a.csv')
  expect(JSON.parse((await folder.call('run', 'show', first!.id, '--json')).stdout)).toMatchObject({
    progress: [{ step: 'do', done: 30, total: 120 }],
    metrics: [{ name: 'members_found', last: 7 }],
    metadata: { source: 'a.csv' },
  })

  goOn.arrive()
  await Promise.allSettled(later.map((id) => client.run(id).result()))
  expect(order).toEqual(['first', 'high', 'broken', 'low'])
  expect((await folder.call('run', 'account', later[1]!)).stdout).toContain('It is kept as a dead letter.')
})

test('run follow prints each part as it comes, from where it is told, and ends as the run does', async () => {
  const goOn = new Arrival()
  const speak = pipeline('speak', { input: z.boolean(), retry: { attempts: 1 } }).step(
    'say',
    async ({ input, stream }) => {
      await stream.write('one')
      await goOn.come
      await stream.write({ two: 2 })
      if (input) throw new Error('no more words')
    },
  )
  await opened.worker({ pipelines: [speak] })
  const client = opened.client()
  const { run } = await client.start(speak, false)
  const following = folder.call('run', 'follow', run!.id)
  await until('somebody follows', async () => {
    const [row] = await database.query('select followed_until from millrace.run_metadata where run_id = $1', [
      run!.id,
    ])
    return row?.['followed_until']
  })
  goOn.arrive()
  expect(await following).toEqual({
    status: 0,
    stdout: 'one\n{"two":2}\n',
    stderr: `Run ${run!.id} is completed: 2 parts.\n`,
  })
  const { stdout } = await folder.call('run', 'follow', run!.id, '--from', '1', '--json')
  expect(JSON.parse(stdout)).toMatchObject({
    position: 1,
    step: 'say',
    item: null,
    attempt: 1,
    value: { two: 2 },
  })
  expect((await folder.call('run', 'follow', run!.id, '--raw')).stdout).toBe('one{"two":2}\n')

  const { run: failing } = await client.start(speak, true)
  const failed = await folder.call('run', 'follow', failing!.id)
  expect(failed).toMatchObject({ status: 4, stdout: 'one\n{"two":2}\n' })
  expect(failed.stderr).toContain('no more words')
  expect((await folder.call('run', 'follow', '00000000-0000-7000-8000-000000000000')).status).toBe(4)
})
