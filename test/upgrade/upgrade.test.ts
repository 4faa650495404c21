// What stood in the middle when a release was kept goes on under the code of today, and is told as it was told then.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runAccount } from '../../src/db/accounts.ts'
import { clientCaller } from '../../src/db/call.ts'
import { tellAccount } from '../../src/core/account.ts'
import { migrate } from '../../src/db/migrate.ts'
import { findBrokenInvariants } from '../checker.ts'
import { createEmptyDatabase } from '../empty-database.ts'
import { releaseNames, releasesFolder } from './release.ts'
import { beginStory, goOn, startStoryWorker, type Story, todaysCode, untilFinished } from './story.ts'

// Those between the first and the last one: npm run prove:upgrade.
const names = await releaseNames()

describe.each([names[0]!, names.at(-1)!])('a database of release %s', (name) => {
  let story: Story
  beforeAll(async () => {
    story = await beginStory(name, await createEmptyDatabase())
  })
  afterAll(() => story.close())

  test('L1 has the migrations of today, as they were', async () => {
    const { migrations } = story.release.kept
    const applied = await story.database.query(
      `select lpad(number::text, 4, '0') || '_' || name || '.sql' as file, checksum from millrace.migration order by number`,
    )
    expect(applied).toEqual(migrations)
  })

  test('L1 goes on under the code of today: no run is lost, each ends as it should, and its effects happen once', async () => {
    const before = await story.database.query<{ id: string }>('select id from millrace.run')
    await migrate({ connectionString: story.database.url })
    await goOn(story)
    const worker = await startStoryWorker(story, todaysCode, {
      name: 'new',
      pipelines: [],
      queues: ['default', 'later'],
    })
    try {
      expect(await untilFinished(story, 20_000)).toEqual([])
    } finally {
      await worker.stop({ force: true })
    }
    expect(
      await findBrokenInvariants(
        story.database,
        before.map(({ id }) => id),
      ),
    ).toEqual([])
  })

  test('L1 has its runs told as they were told then', async () => {
    const client = await story.database.connect()
    const { rows } = await client.query<{ id: string; slug: string }>(
      `select id, slug from millrace.run where slug in ('done', 'stopped', 'told', 'written') order by slug, id`,
    )
    const told: string[] = []
    for (const { id } of rows) told.push(tellAccount(await runAccount(clientCaller(client), id)))
    await client.end()
    await expect(told.join('\n')).toMatchFileSnapshot(`${releasesFolder}/${name}-accounts.txt`)
  })
})
