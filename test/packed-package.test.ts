// The package as a user gets it: packed, installed in an empty project, with a first pipeline written by init and run by dev.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { until } from './deadline.ts'
import { makeReachableFolder } from './reachable-folder.ts'

const root = process.cwd()
const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm'
// Without what npm hands down to its scripts: this project's settings are not the user's.
const inherited = Object.entries(process.env).filter(([name]) => !name.toLowerCase().startsWith('npm_'))
const environment = { ...Object.fromEntries(inherited), DATABASE_URL: '', NO_COLOR: '1' }

let folder: string
let project: string
let packed: string[]
let dev: ChildProcess | undefined

beforeAll(() => {
  folder = makeReachableFolder()
  project = path.join(folder, 'project')
  fs.mkdirSync(project)
  const answer = run(npm, ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], root)
  const { filename, files } = firstOf(JSON.parse(answer)) as {
    filename: string
    files: Array<{ path: string }>
  }
  packed = files.map((file) => file.path)
  run(npm, ['install', '--prefer-offline', '--no-audit', '--no-fund', path.join(folder, filename)], project)
}, 120_000)

afterAll(async () => {
  await stopped(dev)
  await stopTestServer()
  fs.rmSync(folder, { recursive: true, force: true })
}, 30_000)

test('FO-3 in an empty project, the packed package writes a first pipeline and runs it', async () => {
  expect(packed.filter((file) => file.includes('.test.'))).toEqual([])
  expect(millrace(['init'])).toContain('npx millrace dev')
  await untilServing()
  expect(millrace(['run', 'start', 'hello', '{"name":"Ada"}', '--wait'])).toContain(
    'Completed: "Hello, A-D-A!"',
  )

  const [listed] = JSON.parse(millrace(['run', 'list', '--json'])) as Array<{ id: string; state: string }>
  expect(listed?.state).toBe('completed')
  expect(millrace(['run', 'account', listed!.id])).toContain('public.greeting: wrote 1 row')
}, 180_000)

const tested = `
import assert from 'node:assert/strict'
import test from 'node:test'
import { pipeline } from 'millrace'
import { createTestEngine } from 'millrace/testing'

const patient = pipeline('patient').step('ask', { retry: { attempts: 5, initial: '7d', factor: 1 } }, ({ attempt }) => {
  if (attempt < 5) throw new Error('nobody answers')
  return attempt
})

test('it asks for four weeks', async () => {
  const engine = await createTestEngine({ pipelines: [patient] })
  const run = await engine.start(patient)
  await engine.advance('28d')
  assert.equal(await engine.result(run), 5)
  await engine.close()
})
`

test('in an empty project, the packed package tests four weeks with millrace/testing on a server that it brings', () => {
  fs.writeFileSync(path.join(project, 'patient.test.mjs'), tested)
  // A file that is run by itself prints its own report, within whatever other runner.
  const outside: NodeJS.ProcessEnv = { ...environment }
  delete outside['NODE_TEST_CONTEXT']
  const printed = run(process.execPath, ['patient.test.mjs'], project, {
    ...outside,
    TEST_DATABASE_URL: '',
    XDG_CACHE_HOME: testServerCache(),
  })
  expect(printed).toMatch(/pass 1\b/)
}, 60_000)

function testServerCache(): string {
  return path.join(folder, 'cache')
}

/** Its keeper stops it when told to. */
async function stopTestServer(): Promise<void> {
  const home = path.join(testServerCache(), 'millrace', 'testing', 'postgres')
  if (!fs.existsSync(path.join(home, 'keeper'))) return
  process.kill(Number.parseInt(fs.readFileSync(path.join(home, 'keeper'), 'utf8'), 10), 'SIGTERM')
  await until('the test server is stopped', () => !fs.existsSync(path.join(home, 'data', 'postmaster.pid')))
}

// npm answers with a list, newer ones with an object by name.
function firstOf(answer: unknown): unknown {
  return Array.isArray(answer) ? answer[0] : Object.values(answer as object)[0]
}

function run(
  command: string,
  args: readonly string[],
  cwd: string,
  env: NodeJS.ProcessEnv = environment,
): string {
  return execFileSync(command, args, {
    cwd,
    env,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

/** The command as npx would find it. */
function millrace(args: readonly string[]): string {
  return run(
    process.execPath,
    [path.join(project, 'node_modules/millrace/dist/cli/main.js'), ...args],
    project,
  )
}

function untilServing(): Promise<void> {
  const main = path.join(project, 'node_modules/millrace/dist/cli/main.js')
  const child = spawn(process.execPath, [main, 'dev'], {
    cwd: project,
    env: environment,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  dev = child
  return new Promise((resolve, reject) => {
    const said: string[] = []
    for (const stream of [child.stdout, child.stderr]) {
      createInterface(stream).on('line', (line) => {
        said.push(line)
        if (line.includes('serves hello')) resolve()
      })
    }
    child.once('exit', () => reject(new Error(`millrace dev ended: ${said.join('\n')}`)))
  })
}

async function stopped(child: ChildProcess | undefined): Promise<void> {
  if (child === undefined || child.exitCode !== null) return
  const exit = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGINT')
  await exit
}
