// A program: it stops the shared test server when no test process has used it for a while, however those have ended.
import fs from 'node:fs'
import path from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { describeProcess } from '../embedded/living-process.ts'
import { withLock } from '../embedded/lock.ts'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../embedded/server.ts'
import { countLivingUsers } from '../embedded/users.ts'
import { forgetfulSettings, isKept, keeperFile } from './embedded-server.ts'

const lookEveryMs = 1_000
/** From one test run to the next, such as in a watch mode, the server stays warm. */
const unusedLooks = 30

const [directory = ''] = process.argv.slice(2)
let isTold = false
process.once('SIGTERM', () => {
  isTold = true
})
for (let others = true; others && !isTold; ) others = await keep()

/** Uses the server itself until nobody else has for a while. True where somebody came at the last moment, who relies on this keeper. */
async function keep(): Promise<boolean> {
  const server = await startEmbeddedPostgres({ directory, settings: forgetfulSettings })
  if (!(await takeOffice(server))) {
    await server.release()
    return false
  }
  const users = path.join(server.directory, 'users')
  for (let unused = 0; unused < unusedLooks && !isTold; unused = countLivingUsers(users) > 1 ? 0 : unused + 1)
    await pause(lookEveryMs)
  // Whoever comes from now on begins a keeper of its own.
  fs.rmSync(keeperFile(server), { force: true })
  await server.release()
  return countLivingUsers(users) > 0
}

/** Test processes that come at once begin a keeper each. Two would take one another for users for ever, so the first one alone stays. */
function takeOffice(server: EmbeddedPostgres): Promise<boolean> {
  const file = keeperFile(server)
  return withLock(`${file}.lock`, async () => {
    if (isKept(server)) return false
    fs.writeFileSync(file, describeProcess())
    return true
  })
}
