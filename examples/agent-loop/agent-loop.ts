// An agent as a durable step: it thinks, acts, looks at what came of it, and thinks again. Each thought and each act is stored once, so a
// crash in turn 499 goes on in turn 499.
import { z } from 'zod'
import { pipeline } from '../../src/sdk/index.ts'
import { beside, type Cell, type Direction, Maze, nameOf } from './maze.ts'

export interface Turn {
  readonly at: Cell
  readonly ways: readonly Direction[]
}

export type Action = { readonly go: Direction } | { readonly stop: 'arrived' | 'lost' }

/** What an agent is made of. Where `think` asks a model and `act` calls tools, the loop stays as it is. */
export interface Mind {
  think(turns: readonly Turn[], goal: Cell): Action | Promise<Action>
  act(maze: Maze, at: Cell, action: Extract<Action, { go: Direction }>): Turn | Promise<Turn>
}

export function agentLoop(mind: Mind = explorer) {
  return pipeline('agent-loop', {
    input: z.object({ seed: z.int(), size: z.int().min(2).max(100), turns: z.int().min(1).max(5_000) }),
    retry: { attempts: 5, initial: '200ms' },
    timeout: '1h',
  }).step('walk', async ({ input, durable }) => {
    const maze = new Maze(input.seed, input.size)
    const start = { x: 0, y: 0 }
    const turns: Turn[] = [{ at: start, ways: maze.ways(start) }]
    for (let turn = 1; turn <= input.turns; turn++) {
      const action = await durable.run(`think ${turn}`, () => mind.think(turns, maze.goal))
      if ('stop' in action) return { ended: action.stop, turns: turn }
      turns.push(await durable.run(`act ${turn}`, () => mind.act(maze, turns.at(-1)!.at, action)))
    }
    return { ended: 'out of turns' as const, turns: input.turns }
  })
}

/** Goes where it has not been, the goal's side first, and back where there is nothing new. */
export const explorer: Mind = {
  think(turns, goal) {
    const { at, ways } = turns.at(-1)!
    if (nameOf(at) === nameOf(goal)) return { stop: 'arrived' }
    const seen = new Set(turns.map((turn) => nameOf(turn.at)))
    const fresh = ways
      .filter((way) => !seen.has(nameOf(beside(at, way))))
      .sort((left, right) => distance(beside(at, left), goal) - distance(beside(at, right), goal))
    const next = fresh[0] ?? wayBack(turns, at, ways)
    return next === undefined ? { stop: 'lost' } : { go: next }
  },
  act(maze, at, { go }) {
    const next = beside(at, go)
    return { at: next, ways: maze.ways(next) }
  },
}

/** To the cell from which this one was first entered. */
function wayBack(turns: readonly Turn[], at: Cell, ways: readonly Direction[]): Direction | undefined {
  const entered = turns.findIndex((turn) => nameOf(turn.at) === nameOf(at))
  const before = turns[entered - 1]
  return ways.find((way) => before !== undefined && nameOf(beside(at, way)) === nameOf(before.at))
}

function distance(from: Cell, to: Cell): number {
  return Math.abs(from.x - to.x) + Math.abs(from.y - to.y)
}
