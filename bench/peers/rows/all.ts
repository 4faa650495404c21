// All rows there are, in the order of the page.
import type { RowPlan } from '../row.ts'
import { ageRows } from './age.ts'
import { apartRows } from './apart.ts'
import { durableRows } from './durable.ts'
import { queueRows } from './queue.ts'
import { waitRows } from './waits.ts'

export const allRows: readonly RowPlan[] = [
  ...queueRows,
  ...waitRows,
  ...ageRows,
  ...durableRows,
  ...apartRows,
]
