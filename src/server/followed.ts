// Owns what a stream tells of what it follows: how it stands at first, each change since, and nothing twice to whoever comes back with the last id.
import { isFinal } from '../core/state.ts'
import type { FollowedRun, FollowedRunWithParts } from '../db/lookout.ts'
import { followStream, type StreamRow } from '../db/streams.ts'
import type { Caller } from '../db/call.ts'
import { beat, type StreamEvent } from './event-stream.ts'
import type { Follower } from './lookout.ts'

type Told = AsyncGenerator<StreamEvent | typeof beat, void, undefined>

const partsPerLook = 100

export interface RunFollowing {
  readonly run: string
  readonly follower: Follower
  readonly reads: Caller
  /** The id of the last event that the reader has. */
  readonly lastId: string | undefined
  /** A part as the reader may see it. */
  readonly partOf: (row: StreamRow, position: number) => Promise<unknown>
  /** Whether the reader still may: asked before anything is told. */
  readonly may: () => Promise<boolean>
}

/**
 * A run until it has ended: `run` at first and with each change, `part` for each part of its stream, `end`. The id of an event is the position of
 * the next part, and the digest of the run as it was told last.
 */
export async function* tellRun({ run, follower, reads, lastId, partOf, may }: RunFollowing): Told {
  let [next, told] = positionOfRun(lastId)
  for (;;) {
    const { standing } = follower
    if (standing?.value === null) return
    if (standing !== undefined) {
      const seen = standing.value as FollowedRunWithParts
      const isNews = standing.digest !== told || next < seen.parts
      if (isNews && !(await may())) return
      if (standing.digest !== told) {
        told = standing.digest
        yield { event: 'run', id: `${next}-${told}`, data: seen }
      }
      while (next < seen.parts) {
        const rows = await followStream(reads, run, { first: next, most: partsPerLook })
        for (const row of rows) {
          if (row.position === null) return
          if (!(await may())) return
          next = row.position + 1
          yield { event: 'part', id: `${next}-${told}`, data: await partOf(row, row.position) }
        }
      }
      if (isFinal(seen.state)) {
        yield { event: 'end', id: `${next}-${told}`, data: { state: seen.state } }
        return
      }
    }
    const heard = await follower.next()
    if (heard === 'left') return
    if (heard === 'beat') yield beat
  }
}

const runIdPattern = /^(\d{1,9})-([\w-]{1,32})$/

function positionOfRun(lastId: string | undefined): [number, string | undefined] {
  const [, next, told] = runIdPattern.exec(lastId ?? '') ?? []
  return [Number(next ?? 0), told]
}

export interface ListFollowing {
  readonly follower: Follower
  readonly lastId: string | undefined
  readonly may: () => Promise<boolean>
}

/** A list: all that it holds at first, as `runs`, and then what is new in it, has changed or has left it. */
export async function* tellRuns({ follower, lastId, may }: ListFollowing): Told {
  let told: readonly FollowedRun[] | undefined
  for (;;) {
    const { standing } = follower
    if (standing !== undefined) {
      const items = standing.value as readonly FollowedRun[]
      const isKnown = told === undefined ? standing.digest === lastId : told === items
      if (!isKnown && !(await may())) return
      const data = told === undefined ? { items } : changesOf(told, items)
      const event = told === undefined ? 'runs' : 'changed'
      told = items
      if (!isKnown) yield { event, id: standing.digest, data }
    }
    const heard = await follower.next()
    if (heard === 'left') return
    if (heard === 'beat') yield beat
  }
}

function changesOf(before: readonly FollowedRun[], now: readonly FollowedRun[]) {
  const known = new Map(before.map((run) => [run.id, JSON.stringify(run)]))
  const here = new Set(now.map(({ id }) => id))
  return {
    items: now.filter((run) => known.get(run.id) !== JSON.stringify(run)),
    gone: before.flatMap(({ id }) => (here.has(id) ? [] : [id])),
  }
}

/** A queue: how much lies on it, at first and with each change. */
export async function* tellQueue({ follower, lastId, may }: ListFollowing): Told {
  let told = lastId
  for (;;) {
    const { standing } = follower
    if (standing !== undefined && standing.digest !== told) {
      if (!(await may())) return
      told = standing.digest
      yield { event: 'queue', id: told, data: standing.value }
    }
    const heard = await follower.next()
    if (heard === 'left') return
    if (heard === 'beat') yield beat
  }
}
