// The route of named locks.
import { operations } from '../../api/catalogue.ts'
import { listLocks } from '../../db/locks.ts'
import { type Route, route } from '../route.ts'

export const lockRoutes: readonly Route[] = [
  route(operations.listLocks, async ({ query, within, room }) => ({
    items: await listLocks(room.reads, { ...query, ...within }),
  })),
]
