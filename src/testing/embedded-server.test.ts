// The embedded server of test processes: shared by all of them, stopped by one keeper, beside the data of other versions.
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { until } from '../../test/deadline.ts'
import { startCompiled, untilTestEnds } from '../../test/program.ts'
import { makeReachableFolder } from '../../test/reachable-folder.ts'

const mine = untilTestEnds()

let cache: string
let home: string

beforeEach(() => {
  cache = makeReachableFolder()
  home = path.join(cache, 'millrace', 'testing')
})

afterEach(async () => {
  for (const pid of keepers()) process.kill(pid, 'SIGTERM')
  await until('all keepers have ended', () => keepers().length === 0)
  fs.rmSync(cache, { recursive: true, force: true })
})

/** The processes that keep servers of this cache folder. */
function keepers(): number[] {
  const lines = execFileSync('ps', ['-Ao', 'pid=,args='], { encoding: 'utf8' }).split('\n')
  return lines
    .filter((line) => line.includes('server-keeper') && line.includes(cache))
    .map((line) => Number.parseInt(line, 10))
}

/** A test process of its own, which ends once it has got the server's address. */
async function join(environment: Readonly<Record<string, string>> = {}): Promise<string> {
  const program = mine(
    startCompiled('test/programs/test-server-user.ts', [], { XDG_CACHE_HOME: cache, ...environment }),
  )
  expect(await program.ended, program.printed()).toBe(0)
  return program.output().trim()
}

test('test processes that come at once share a server, and a single keeper stays, which stops it when told', async () => {
  // As test runners do it: the program is found from the folder in which the tests run, and from no other.
  const runner = { NODE_OPTIONS: '--require ./package.json' }
  const [first, ...others] = await Promise.all([join(runner), join(runner), join(runner)])
  expect(others).toEqual([first, first])
  const keeper = await until('one keeper is left of three', () => {
    const [left, ...more] = keepers()
    return more.length === 0 && isNamed(left) ? left : undefined
  })
  process.kill(keeper, 'SIGTERM')
  await until('the keeper has ended', () => keepers().length === 0)
  expect(fs.existsSync(path.join(home, 'postgres', 'data', 'postmaster.pid'))).toBe(false)
  expect(fs.readdirSync(path.join(home, 'postgres', 'users'))).toEqual([])
}, 120_000)

function isNamed(keeper: number | undefined): boolean {
  const file = path.join(home, 'postgres', 'keeper')
  return fs.existsSync(file) && Number.parseInt(fs.readFileSync(file, 'utf8'), 10) === keeper
}

test('the data of another version of PostgreSQL stay, and the server has its own beside them', async () => {
  const data = path.join(home, 'postgres', 'data')
  fs.mkdirSync(data, { recursive: true })
  fs.writeFileSync(path.join(data, 'PG_VERSION'), '9\n')
  await join()
  expect(fs.readFileSync(path.join(data, 'PG_VERSION'), 'utf8')).toBe('9\n')
  const [own] = fs.readdirSync(home).filter((name) => /^[0-9]+$/.test(name))
  const server = path.join(home, own ?? '', 'postgres')
  expect(fs.existsSync(path.join(server, 'data', 'PG_VERSION'))).toBe(true)
  await until('a keeper stops it', () => fs.existsSync(path.join(server, 'keeper')))
}, 120_000)
