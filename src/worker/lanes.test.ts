// Where a worker looks: from the last position seen, and once a second from the beginning.
import { expect, test } from 'vitest'
import type { ClaimedTask } from '../db/tasks.ts'
import { LanePositions } from './lanes.ts'

const claimed = (taskId: number) => ({ handler: 7, priority: 5, task_id: taskId }) as ClaimedTask

test('a look goes on behind the last task of the one before, and begins anew once a second', () => {
  const lanes = new LanePositions([7])
  const at = (nowMs: number, fully?: boolean) => {
    const { positions, full } = lanes.lanes(nowMs, fully)
    return [positions[4], full]
  }
  expect(at(0)).toEqual([-1, true])
  lanes.saw([claimed(3), claimed(4)], false)
  expect(at(999)).toEqual([4, false])
  expect(at(1_000)).toEqual([-1, true])
  expect(at(1_001, true)).toEqual([-1, true])
  expect(at(1_002)).toEqual([4, false])
})

test('a full look, which brings those first who were called from limits, hides nothing that lies before them', () => {
  const lanes = new LanePositions([7])
  lanes.lanes(0)
  lanes.saw([claimed(9_000)], true)
  expect(lanes.lanes(1).positions[4]).toBe(0)
})
