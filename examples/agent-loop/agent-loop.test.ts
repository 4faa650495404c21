// The agent on a database: a thousand durable operations, a worker that dies on the way, and no thought that is thought twice.
import { expect, test } from 'vitest'
import { Arrival, openMillrace } from '../../test/millrace.ts'
import { agentLoop, explorer, type Mind } from './agent-loop.ts'
import { Maze } from './maze.ts'

const { database, opened } = await openMillrace()

/** The explorer, counting; at the given thought it tells and thinks no further. */
function counting(stopAt = Number.POSITIVE_INFINITY) {
  const reached = new Arrival()
  const counts = { thoughts: 0, acts: 0 }
  const mind: Mind = {
    think: (turns, goal) => {
      if (turns.length === stopAt) {
        reached.arrive()
        return new Promise(() => {})
      }
      counts.thoughts++
      return explorer.think(turns, goal)
    },
    act: (maze, at, action) => {
      counts.acts++
      return explorer.act(maze, at, action)
    },
  }
  return { counts, reached, pipeline: agentLoop(mind) }
}

test('an agent of a thousand durable operations goes on where its worker left it, and does none of them twice', async () => {
  const input = { seed: 3, size: 40, turns: 500 }
  const first = counting(400)
  const worker = await opened.worker({ pipelines: [first.pipeline] })
  const client = opened.client()
  const { run } = await client.start(first.pipeline, input)
  await first.reached.come
  await worker.stop({ force: true })
  const second = counting()
  await opened.worker({ pipelines: [second.pipeline] })
  expect(await client.run(run!.id).result()).toEqual({ ended: 'out of turns', turns: 500 })
  expect(first.counts).toEqual({ thoughts: 399, acts: 399 })
  expect(second.counts).toEqual({ thoughts: 101, acts: 101 })
  expect(
    await database.query('select count(*)::int as stored from millrace.checkpoint where run_id = $1', [
      run!.id,
    ]),
  ).toEqual([{ stored: 1_000 }])
})

test('it finds its way out', async () => {
  const agent = agentLoop()
  await opened.worker({ pipelines: [agent] })
  const client = opened.client()
  const { run } = await client.start(agent, { seed: 7, size: 6, turns: 200 })
  expect(await client.run<typeof agent>(run!.id).result()).toMatchObject({ ended: 'arrived' })
})

test('each cell of a maze is reached, by one way', () => {
  const maze = new Maze(1, 12)
  const cells = Array.from({ length: 144 }, (_, n) => ({ x: n % 12, y: Math.floor(n / 12) }))
  expect(cells.every((cell) => maze.ways(cell).length > 0)).toBe(true)
  expect(cells.reduce((sum, cell) => sum + maze.ways(cell).length, 0)).toBe(2 * 143)
})
