// What an endpoint answers later, by its token: it is stored once, as a value or as an error.
import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { openMeeting } from '../../../test/meeting.ts'
import { workerOf } from '../../../test/pipeline-worker.ts'
import { chain, claimOne, startRun } from '../../../test/protocol.ts'
import { openWaits } from '../../../test/waiting.ts'

const { database } = await openMeeting()

const answer = (token: string, result: unknown, error: object | null) =>
  database.query('select millrace.complete_wait($1, $2::jsonb, $3::jsonb)', [
    token,
    result === null ? null : JSON.stringify(result),
    error === null ? null : JSON.stringify(error),
  ])

const refused = { code: 'refused', message: 'No.' }

test.each([
  ['a value', { ok: true }, null, { value: { ok: true }, error: null }],
  ['an error', null, refused, { value: null, error: refused }],
] as const)(
  '%s is stored as the answer of the endpoint, and its token is used then',
  async (kind, result, error, stored) => {
    const slug = `answered-with-${kind.replaceAll(' ', '-')}`
    const worker = await workerOf(database, slug, chain('only'))
    const { run_id: run } = await startRun(database, slug)
    const task = await claimOne(database, worker)
    const token = `token of ${slug}`
    const hash = createHash('sha256').update(token).digest('hex')
    await openWaits(database, worker, [
      { task, waits: [{ name: 'ask', kind: 'http', token: hash, ms: 60_000 }] },
    ])
    await answer(token, result, error)
    await expect(answer(token, 'another', null)).rejects.toMatchObject({ code: 'MR017' })
    expect(
      await database.query('select name, kind, value, error from millrace.checkpoint where run_id = $1', [
        run,
      ]),
    ).toEqual([{ name: 'ask', kind: 'http', ...stored }])
  },
)
