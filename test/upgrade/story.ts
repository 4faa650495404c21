// The story of an upgrade: a database of a release with everything in the middle, today's code that comes to it, and how it all ends.
import { setTimeout as pause } from 'node:timers/promises'
import { installTestClock } from '../../src/db/test-clock.ts'
import { migrate } from '../../src/db/migrate.ts'
import * as sdk from '../../src/sdk/index.ts'
import type { WorkerLogEntry } from '../../src/worker/options.ts'
import { startWorker } from '../../src/worker/worker.ts'
import type { EmptyDatabase } from '../empty-database.ts'
import { openRelease, type Release, type ReleasedCode } from './release.ts'
import type { Scene } from './scene.ts'
import { castOf, sceneOptions, scenesSince } from './scenes.ts'

export const todaysCode: ReleasedCode = { ...sdk, startWorker, migrate }

export interface Story {
  readonly release: Release
  readonly scenes: readonly Scene[]
  readonly database: EmptyDatabase
  close(): Promise<void>
}

/** Makes an empty database one of the release, as it was kept. It ends with the story. */
export async function beginStory(name: string, database: EmptyDatabase): Promise<Story> {
  const release = await openRelease(name)
  const client = await database.connect()
  await release.restore(client)
  await client.end()
  return {
    release,
    scenes: scenesSince(Number(name)),
    database,
    close: async () => {
      await database.close()
      await release.close()
    },
  }
}

export interface WorkerOfStory {
  readonly pipelines: readonly sdk.PipelineDefinition[]
  readonly queues?: readonly string[]
  readonly name: string
  readonly log?: (entry: WorkerLogEntry) => void
  /** What handlers that stop in the middle wait for. */
  readonly hold?: () => Promise<void>
}

/** A worker of old or new code for all that the scenes have, and for more. */
export function startStoryWorker({ scenes, database }: Story, code: ReleasedCode, options: WorkerOfStory) {
  const { hold = async () => {}, pipelines, ...others } = options
  const cast = castOf(scenes, { code, holding: false, hold })
  return code.startWorker({
    database: database.url,
    ...sceneOptions,
    heartbeatMs: 100,
    // Who has just connected waits for a lease of its own before it takes anything from the workers of old.
    leaseSeconds: 3,
    pipelines: [...cast.pipelines, ...pipelines],
    triggers: cast.triggers,
    log: () => {},
    ...others,
  })
}

/** Does with today's code what people do after an upgrade, and lets two days pass. */
export async function goOn({ scenes, database }: Story): Promise<void> {
  const client = sdk.connect({ database: database.url, ...sceneOptions })
  for (const { name, afterwards } of scenes) await afterwards?.(client, await runsOf(database, name))
  await client.close()
  const connection = await database.connect()
  await installTestClock(connection)
  await connection.query(`update millrace.test_clock set moved = interval '2 days'`)
  await connection.end()
}

async function runsOf(database: EmptyDatabase, slug: string): Promise<string[]> {
  const rows = await database.query<{ id: string }>(
    'select id from millrace.run where slug = $1 order by id',
    [slug],
  )
  return rows.map(({ id }) => id)
}

/** What is not yet as it should be in the end, as sentences. */
async function unfinished({ scenes, database }: Story): Promise<string[]> {
  const rows = await database.query<{
    slug: string
    states: string
    runs: number
    effects: number
    repeated: number
  }>(
    `select r.slug, string_agg(distinct r.state::text, ', ') as states, count(*)::int as runs,
            sum(e.effects)::int as effects, (count(*) filter (where e.effects > 1))::int as repeated
       from millrace.run r cross join lateral (select count(*) as effects from shop.effect e where e.run_id = r.id) e
      group by r.slug`,
  )
  return scenes.flatMap(({ name, runs, ends = 'completed' }) => {
    const found = rows.find(({ slug }) => slug === name)
    if (found === undefined) return [`${name} has no run`]
    const effects = ends === 'completed' ? found.runs : 0
    if (found.states === ends && found.runs >= runs && found.effects === effects && found.repeated === 0)
      return []
    return [
      `${name}: ${found.runs} runs ${found.states}, ${found.effects} effects; not ${runs} ${ends}, ${effects}`,
    ]
  })
}

/** Waits until nothing is left to do, or says what is. */
export async function untilFinished(story: Story, withinMs: number): Promise<string[]> {
  const deadline = performance.now() + withinMs
  for (;;) {
    const left = await unfinished(story)
    if (left.length === 0 || performance.now() > deadline) return left
    await pause(50)
  }
}
