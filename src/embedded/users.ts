// Who uses the embedded server: a file for each use, named after its process, so that the last one can stop it.
import { randomUUID } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import { describeProcess, isLiving } from './living-process.ts'

/** Notes down one more use by this process and returns its file. A process may use the server several times. */
export function addUser(folder: string): string {
  fs.mkdirSync(folder, { recursive: true })
  const file = path.join(folder, `${process.pid}-${randomUUID()}`)
  fs.writeFileSync(file, describeProcess(), { mode: 0o600 })
  return file
}

/** Strikes out one use. */
export function removeUser(file: string): void {
  fs.rmSync(file, { force: true })
}

/** How many uses belong to processes that still live; the files of dead ones are removed on the way. */
export function countLivingUsers(folder: string): number {
  if (!fs.existsSync(folder)) return 0
  const files = fs.readdirSync(folder).map((name) => path.join(folder, name))
  const living = files.filter((file) => isLiving(readUse(file)))
  for (const file of files) if (!living.includes(file)) removeUser(file)
  return living.length
}

/** Who counts at the same time may have removed it. */
function readUse(file: string): string {
  try {
    return fs.readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}
