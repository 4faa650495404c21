// The agent's world: a maze that is the same for the same seed, in which one passage leads from any cell to any other.

export type Direction = 'north' | 'east' | 'south' | 'west'

export interface Cell {
  readonly x: number
  readonly y: number
}

export const directions: readonly Direction[] = ['north', 'east', 'south', 'west']

const moves: Readonly<Record<Direction, Cell>> = {
  north: { x: 0, y: -1 },
  east: { x: 1, y: 0 },
  south: { x: 0, y: 1 },
  west: { x: -1, y: 0 },
}

export function beside({ x, y }: Cell, direction: Direction): Cell {
  const move = moves[direction]
  return { x: x + move.x, y: y + move.y }
}

export class Maze {
  readonly size: number
  readonly #passages = new Set<string>()

  constructor(seed: number, size: number) {
    this.size = size
    this.#dig(seed)
  }

  /** Where the agent wants to get, from the opposite corner. */
  get goal(): Cell {
    return { x: this.size - 1, y: this.size - 1 }
  }

  ways(cell: Cell): Direction[] {
    return directions.filter((direction) => this.#passages.has(between(cell, beside(cell, direction))))
  }

  /** From cell to cell, back where it goes no further, until each was reached once. */
  #dig(seed: number): void {
    const draw = drawing(seed)
    const reached = new Set([nameOf({ x: 0, y: 0 })])
    const way: Cell[] = [{ x: 0, y: 0 }]
    for (let here = way.at(-1); here !== undefined; here = way.at(-1)) {
      const cell = here
      const open = directions
        .map((direction) => beside(cell, direction))
        .filter((next) => this.#isInside(next) && !reached.has(nameOf(next)))
      const next = open[Math.floor(draw() * open.length)]
      if (next === undefined) {
        way.pop()
        continue
      }
      this.#passages.add(between(here, next)).add(between(next, here))
      reached.add(nameOf(next))
      way.push(next)
    }
  }

  #isInside({ x, y }: Cell): boolean {
    return x >= 0 && y >= 0 && x < this.size && y < this.size
  }
}

export function nameOf({ x, y }: Cell): string {
  return `${x},${y}`
}

function between(from: Cell, to: Cell): string {
  return `${nameOf(from)} ${nameOf(to)}`
}

/** Numbers from [0, 1) that repeat with the seed: a linear congruential generator. */
function drawing(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}
