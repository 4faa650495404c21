// The batches of single starts, and those that wait beside them for what somebody's open transaction holds.
import { expect, test } from 'vitest'
import { z } from 'zod'
import { countStatements, openMillrace } from '../../test/millrace.ts'
import { untilBlocked } from '../../test/protocol.ts'
import { pipeline } from './pipeline.ts'

const { database, opened } = await openMillrace()

const numbered = pipeline('numbered', { input: z.object({ n: z.number() }) }).step(
  'do',
  ({ input }) => input.n,
)
const keyed = pipeline('keyed', { input: z.object({ state: z.string() }), key: 'state' }).step('do', () => 1)
const paired = pipeline('paired', {
  input: z.object({ state: z.string(), year: z.number() }),
  key: ['state', 'year'],
}).step('do', () => 1)

/** A transaction that stays open, with a start in it. */
async function holding(start: (tx: Awaited<ReturnType<typeof database.pool.connect>>) => Promise<unknown>) {
  const own = await database.pool.connect()
  await own.query('begin')
  await start(own)
  return async () => {
    await own.query('rollback')
    own.release()
  }
}

test.each([
  ['by its name', 'keyed', keyed] as const,
  ['of a pipeline whose run key has two parts', paired, paired] as const,
])(
  'starts %s wait behind the first of their run key, and burden no batch of others',
  async (_, named, held) => {
    const client = opened.client()
    const release = await holding((tx) => client.start(held, { state: 'held', year: 1 }, { tx }))
    const start = (state: string) => client.start(named, { state, year: 1 })
    const waiting = [start('held')]
    await untilBlocked(database)
    // Answered by the batch after the one that waited in vain.
    await client.start(numbered, { n: 1 })
    const statements = countStatements()
    for (let n = 0; n < 40; n++) waiting.push(start('held'))
    expect(await start('free')).toMatchObject({ created: true })
    statements.stop()
    // One for the free one; the others are turns of the first that waits.
    expect(statements.sent.filter((name) => name === 'millrace_start_runs').length).toBeLessThanOrEqual(3)
    await release()
    const answers = await Promise.all(waiting)
    expect(answers.filter(({ created }) => created)).toHaveLength(1)
  },
)
