// Schedules that code declares: applied as a set when a worker starts, and fired by it at their real time.
import { expect, test } from 'vitest'
import { z } from 'zod'
import { until } from '../../test/deadline.ts'
import { openMillrace } from '../../test/millrace.ts'
import { pipeline } from '../sdk/pipeline.ts'
import { schedule } from '../sdk/schedule.ts'

const { opened } = await openMillrace()

const digest = pipeline('digest', { input: z.object({ of: z.string().default('all') }) }).step(
  'only',
  ({ input }) => input.of,
)
const other = pipeline('other').step('only', () => 'done')

const yearly = { cron: '0 0 1 1 *' } as const

test('what is gone from the code is removed, and what an operator or other code declared stays', async () => {
  const client = opened.client()
  const names = async () => (await client.schedules.list()).map(({ name, source }) => `${name} ${source}`)
  const first = await opened.worker({
    pipelines: [digest, other],
    triggers: [
      schedule('kept', { pipeline: digest, input: {}, ...yearly }),
      schedule('gone', { pipeline: digest, input: {}, ...yearly }),
      schedule('taken', { pipeline: digest, input: {}, ...yearly }),
      schedule('others', { pipeline: other, ...yearly }),
    ],
  })
  await first.stop()
  expect(await names()).toEqual(['gone code', 'kept code', 'others code', 'taken code'])
  expect((await client.schedules.get('kept')).input).toEqual({ of: 'all' })
  await client.schedules.define('taken', { pipeline: 'digest', every: '1d' })
  await client.schedules.define('own', { pipeline: 'digest', every: '1d' })

  const second = await opened.worker({
    pipelines: [digest],
    triggers: [
      schedule('kept', { pipeline: digest, input: {}, ...yearly }),
      schedule('taken', { pipeline: digest, input: {}, ...yearly }),
    ],
  })
  await second.stop()
  expect(await names()).toEqual(['kept code', 'others code', 'own operator', 'taken operator'])
  expect(await client.schedules.get('kept')).toMatchObject({ revision: 1 })
  expect(await client.schedules.get('taken')).toMatchObject({ everyMs: 86_400_000, revision: 2 })
  const told = opened.log.map(({ message }) => message)
  expect(told).toContainEqual(expect.stringContaining("Schedule 'gone' is removed"))
  expect(told).toContainEqual(
    expect.stringContaining("Schedule 'taken' is as an operator defined it, revision 2"),
  )
})

test('an input that the pipeline refuses keeps the worker from starting, and says of which schedule', async () => {
  const wrong = { of: 7 } as unknown as { of: string }
  await expect(
    opened.worker({
      pipelines: [digest],
      triggers: [schedule('wrong', { pipeline: digest, input: wrong, ...yearly })],
    }),
  ).rejects.toMatchObject({
    code: 'input_invalid',
    message: expect.stringContaining("schedule 'wrong'") as string,
  })
})

test('a pipeline that is not registered is refused by the name of the schedule that starts it', async () => {
  const astray = schedule('every-quarter', { pipeline: 'tock', ...yearly })
  await expect(opened.worker({ pipelines: [other], triggers: [astray] })).rejects.toMatchObject({
    code: 'pipeline_unknown',
    message: "There is no pipeline 'tock', which schedule 'every-quarter' starts.",
  })
})

test('two schedules of one name keep the worker from starting', async () => {
  const twice = schedule('twice', { pipeline: other, ...yearly })
  await expect(opened.worker({ pipelines: [other], triggers: [twice, twice] })).rejects.toMatchObject({
    code: 'schedule_invalid',
    message: "There are two schedules 'twice'.",
  })
})

test('a worker fires each slot in its second', async () => {
  const client = opened.client()
  await opened.worker({
    pipelines: [other],
    triggers: [schedule('ticking', { pipeline: other, every: '1s' })],
  })
  const firings = await until('three have ended', async () => {
    const ended = await client.schedules.firings('ticking', { states: ['completed'] })
    return ended.length >= 3 && ended
  })
  for (const { slot, firedAt, lateMs } of firings)
    expect(Math.abs(firedAt.getTime() - slot.getTime() - lateMs)).toBeLessThanOrEqual(1)
})

test.each([
  [{ cron: '0 7 * * 1-8' }, /position 9/],
  [{ cron: '0 7 * * *', timezone: 'Europe/Atlantis' }, /Europe\/Atlantis/],
  [{ every: '0s' }, /interval/],
  [{ cron: '0 7 * * *', every: '1h' }, /either cron/],
  [{}, /either cron/],
  [{ every: '1h', overlap: 'queue' }, /overlap is one of/],
  [{ every: '1h', until: new Date() }, /takes no 'until'/],
  [{ every: '1h', starts: 'tomorrow' }, /starts is no date/],
  [{ every: '1h', expect: {} }, /expectation/],
])('a schedule %o is refused where it is written', (options, message) => {
  const given = options as unknown as { cron: string }
  expect(() => schedule('refused', { pipeline: other, ...given })).toThrow(
    expect.objectContaining({
      code: 'schedule_invalid',
      message: expect.stringMatching(message) as string,
    }) as Error,
  )
  expect(() => schedule('refused', { pipeline: other, ...given })).toThrow("Schedule 'refused' is refused")
})
