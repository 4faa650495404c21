// The floor of a wake-up: an insert with NOTIFY on one connection until another one hears it.
import { setTimeout as pause } from 'node:timers/promises'
import pg from 'pg'
import { createFloorTables } from './tables.ts'

const pauseMs = 15

/** Milliseconds of each. */
export async function insertHeard(pool: pg.Pool, url: string, samples: number): Promise<number[]> {
  await createFloorTables(pool)
  const [sender, listener] = [new pg.Client(url), new pg.Client(url)]
  try {
    await Promise.all([sender.connect(), listener.connect()])
    await listener.query('listen floor')
    const times: number[] = []
    for (let sample = 0; sample < samples; sample++) {
      await pause(pauseMs)
      times.push(await oneInsert(sender, listener))
    }
    return times
  } finally {
    await Promise.all([sender.end(), listener.end()])
  }
}

async function oneInsert(sender: pg.Client, listener: pg.Client): Promise<number> {
  const begun = performance.now()
  const heard = new Promise<void>((resolve) => listener.once('notification', () => resolve()))
  const sent = sender.query(
    `with inserted as (insert into floor.runs (state, input) values ('pending', '{}')) select pg_notify('floor', '')`,
  )
  await heard
  const time = performance.now() - begun
  await sent
  return time
}
