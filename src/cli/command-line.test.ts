// The commands on a real database: what they print at 80 columns and for programs, and how they end.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { width } from '../core/text-width.ts'
import { type Caller, echoConfig, openFolder, sdkAddress } from '../../test/commands.ts'
import { createTestDatabase, type TestDatabase } from '../../test/database.ts'
import { completionTree } from './completion-tree.ts'
import { createProgram } from './program.ts'

let database: TestDatabase
let project: Caller
let empty: Caller
beforeAll(async () => {
  database = await createTestDatabase()
  project = openFolder({ DATABASE_URL: database.url })
  project.write('millrace.config.ts', echoConfig)
  empty = openFolder()
  const graph = {
    key: [['state']],
    steps: [
      { name: 'search', after: [] },
      { name: 'enrich', kind: 'map', over: 'search', after: ['search'] },
    ],
  }
  await database.query('select millrace.register_pipeline($1, $2)', [
    'territory-sweep-of-the-united-states',
    JSON.stringify(graph),
  ])
})
afterAll(async () => {
  project.close()
  empty.close()
  await database.close()
})

const someRun = '01a1fc9e-5f80-77ff-8c73-f01c878af2ee'
const id = /[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}/

async function started(...args: string[]): Promise<string> {
  const { stdout, stderr } = await project.call('run', 'start', ...args, '--json')
  expect(stderr).toBe('')
  return (JSON.parse(stdout) as { run_id: string }).run_id
}

const longest = (text: string): number => Math.max(...text.split('\n').map((line) => width(line)))

test('the help names every command and what each exit status means', async () => {
  const { status, stdout } = await empty.call('--help')
  expect(status).toBe(0)
  expect(longest(stdout)).toBeLessThanOrEqual(80)
  for (const name of ['init', 'dev', 'worker', 'migrate', 'pipeline', 'run', 'doctor'])
    expect(stdout).toContain(`\n  ${name}`)
  expect(stdout).toContain('Exit status:\n  0  done\n')
})

test('the help of each command and of each group fits in 80 columns', async () => {
  const program = createProgram(() => {
    throw new Error('Help asks for no session.')
  }, '0.0.0')
  for (const { path } of completionTree(program)) {
    const { stdout } = await empty.call(...path, '--help')
    const wide = stdout.split('\n').filter((line) => width(line) > 80)
    expect({ path, wide }).toEqual({ path, wide: [] })
  }
})

test('a command that does not exist ends with 2, with the one that was meant', async () => {
  expect(await empty.call('run', 'lst')).toEqual({
    status: 2,
    stdout: '',
    stderr: "Error: Unknown command 'lst'. Did you mean list? See npx millrace run --help.\n",
  })
})

test('an option that is given an empty value is refused with 2, as it is when a script forgot its variable', async () => {
  expect(await project.call('run', 'list', '--database', '')).toEqual({
    status: 2,
    stdout: '',
    stderr:
      "Error: Option '--database <url>' argument '' is invalid. --database was given an empty value: leave it out, or say which. See npx millrace --help.\n",
  })
  for (const [command, option] of [
    ['run list', '--config'],
    ['run list', '--tenant'],
    ['run list', '--pipeline'],
    ['run start echo', '--tenant'],
    ['run start echo', '--idempotency-key'],
    ['worker', '--queue'],
    ['worker', '--name'],
    ['run cancel x', '--reason'],
    ['run pause x', '--reason'],
    ['pipeline pause x', '--reason'],
    ['schedule pause x', '--reason'],
    ['schedule trigger x', '--overlap'],
  ] as const) {
    const { status, stderr } = await project.call(...command.split(' '), option, ' ')
    expect(stderr).toContain(`${option} was given an empty value`)
    expect(status).toBe(2)
  }
  expect(await project.call('run', 'list', '--key', '')).toMatchObject({ status: 0 })
})

test('with --json a command line that is wrong is told as JSON too', async () => {
  const { status, stdout, stderr } = await project.call('run', 'list', '--limit', '0', '--json')
  expect([status, stdout]).toEqual([2, ''])
  expect(JSON.parse(stderr)).toEqual({
    error: {
      code: 'command_invalid',
      message: "Option '--limit <n>' argument '0' is invalid. --limit takes a whole number from 1 to 1000.",
      hint: 'See npx millrace run list --help.',
    },
  })
  const none = await project.call('run', '--json')
  expect([none.status, none.stdout]).toEqual([2, ''])
  expect(JSON.parse(none.stderr)).toMatchObject({ error: { code: 'command_invalid' } })
  expect((await project.call('run')).stderr).toContain('Usage: millrace run')
})

test('a folder in the place of the configuration is refused with 2', async () => {
  const { status, stderr } = await project.call('run', 'list', '--config', '.')
  expect(stderr).toContain('is a folder, and no configuration file.')
  expect(status).toBe(2)
})

test('PP-C13 a missing database ends with 2, and the message names the variable and the remedy', async () => {
  const { status, stderr } = await empty.call('run', 'list')
  expect(status).toBe(2)
  expect(stderr).toBe(
    'Error: No database is configured, and there is no embedded one here. Set DATABASE_URL, write `database` into millrace.config.ts, or start an embedded one with: npx millrace dev\n',
  )
})

test('an unreachable database ends with 3, and its password is not printed', async () => {
  const { status, stderr } = await empty.call(
    'run',
    'list',
    '--database',
    'postgres://ada:geheim@127.0.0.1:1/app',
    '--debug',
  )
  expect(status).toBe(3)
  expect(stderr).toContain('No connection to PostgreSQL at 127.0.0.1:1/app')
  expect(stderr).not.toContain('geheim')
})

test('with --json an error is JSON on stderr, and stdout stays empty', async () => {
  const { status, stdout, stderr } = await project.call('run', 'account', someRun, '--json')
  expect(status).toBe(4)
  expect(stdout).toBe('')
  expect(JSON.parse(stderr)).toMatchObject({
    error: { code: 'run_unknown', message: `There is no run ${someRun}.` },
  })
})

test('what is no run id is refused with 2', async () => {
  expect(await project.call('run', 'show', '17')).toMatchObject({
    status: 2,
    stderr: "Error: '17' is no run id. List the runs with: npx millrace run list\n",
  })
})

test('run start says how to go on, and run list shows the run in 80 columns without cutting its id', async () => {
  const { stdout } = await project.call(
    'run',
    'start',
    'territory-sweep-of-the-united-states',
    '{"state": "TX"}',
  )
  const [run] = id.exec(stdout) ?? []
  expect(stdout).toBe(
    `Started run ${run} of territory-sweep-of-the-united-states.\nSee it with: npx millrace run account ${run}\n`,
  )
  const list = await project.call('run', 'list', '--pipeline', 'territory-sweep-of-the-united-states')
  expect(longest(list.stdout)).toBeLessThanOrEqual(80)
  expect(list.stdout.split('\n')[1]).toMatch(new RegExp(`^${run}  territory-s.*…  TX   needs v1  \\d s$`))
  expect(list.stdout).toContain(
    "\nneeds version 1 of 'territory-sweep-of-the-united-states' (queue default): 1\n  run; no live worker serves it\n",
  )
})

test('a live run key answers with the run that holds it, and creates none', async () => {
  const first = await started('territory-sweep-of-the-united-states', '{"state": "OH"}')
  const { status, stdout } = await project.call(
    'run',
    'start',
    'territory-sweep-of-the-united-states',
    '{"state": "OH"}',
  )
  expect(status).toBe(0)
  expect(stdout).toContain(
    `No new run of territory-sweep-of-the-united-states, since its run key is live: it is run ${first}.`,
  )
})

test('run list filters by state, key and tenant, and says when there is none', async () => {
  const run = await started('echo', '1', '--tenant', 'acme', '--priority', '2', '--header', 'origin=test')
  const { stdout } = await project.call('run', 'list', '--tenant', 'acme', '--state', 'pending', '--json')
  expect(JSON.parse(stdout)).toMatchObject([{ id: run, pipeline: 'echo', tenant: 'acme', state: 'pending' }])
  expect((await project.call('run', 'list', '--key', 'nobody')).stdout).toBe('There is no such run.\n')
  expect((await project.call('run', 'list', '--state', 'asleep')).status).toBe(2)
  expect((await project.call('run', 'list', '--limit', '0')).stderr).toContain(
    '--limit takes a whole number from 1 to 1000',
  )
})

test('a run is paused, resumed and cancelled, and each says when there was nothing to do', async () => {
  const run = await started('echo', '2')
  expect((await project.call('run', 'pause', run, '--reason', 'lunch')).stdout).toBe(
    `Run ${run} is paused.\n`,
  )
  expect((await project.call('run', 'pause', run)).stdout).toBe(
    `Run ${run} had ended or was paused already.\n`,
  )
  expect((await project.call('run', 'resume', run)).stdout).toBe(`Run ${run} goes on.\n`)
  expect((await project.call('run', 'resume', run)).stdout).toBe(`Run ${run} was not paused.\n`)
  expect(JSON.parse((await project.call('run', 'cancel', run, '--json')).stdout)).toEqual({
    run_id: run,
    changed: true,
  })
  expect((await project.call('run', 'cancel', run)).stdout).toBe(`Run ${run} had ended already.\n`)
  const { stdout } = await project.call('run', 'account', run)
  expect(longest(stdout)).toBeLessThanOrEqual(80)
  expect(stdout).toContain('paused the run: lunch')
})

test('E12 run list, show and why tell the version that a run needs, and an unknown step is refused', async () => {
  const run = await started('echo', '"needy"', '--tenant', 'needy')
  const needed = "needs version 1 of 'echo' (queue default)"
  const list = await project.call('run', 'list', '--tenant', 'needy')
  expect(list.stdout).toContain('  needs v1  ')
  expect(list.stdout).toContain(`\n${needed}: 1 run; no live worker serves it\n`)
  const listed = await project.call('run', 'list', '--tenant', 'needy', '--json')
  expect(JSON.parse(listed.stdout)).toMatchObject([
    { id: run, state: 'pending', needs: { version: 1, queue: 'default', step: 'say' } },
  ])
  expect((await project.call('run', 'show', run)).stdout).toContain(
    `\nnow       'say' ${needed}: no live worker serves\n          it.\n`,
  )
  expect((await project.call('run', 'why', run)).stdout).toBe(`'say' ${needed}: no live worker serves it.\n`)
  expect((await project.call('run', 'why', run, 'again')).stdout).toBe("'again' waits for 'say'.\n")
  const asked = await project.call('run', 'why', run, '--json')
  expect(JSON.parse(asked.stdout)).toMatchObject({ reason: 'needs_version', told_step: 'say' })
  expect(await project.call('run', 'why', run, 'nowhere')).toMatchObject({
    status: 4,
    stderr: expect.stringContaining("has no step 'nowhere'"),
  })
})

test('run show tells state, steps and input', async () => {
  const run = await started('echo', '"a text"', '--at', '2h')
  const { stdout } = await project.call('run', 'show', run)
  expect(stdout).toContain('echo, version 1: pending\n')
  expect(stdout).toContain('step   state    items  attempts  failed  running\n')
  expect(stdout).toContain('say    waiting                0\n')
  expect(stdout).toContain('input     "a text"\n')
  const shown = JSON.parse((await project.call('run', 'show', run, '--json')).stdout) as { steps: unknown[] }
  expect(shown).toMatchObject({ id: run, state: 'pending', input: 'a text', output: null })
  expect(shown.steps).toMatchObject([
    { step: 'say', state: 'waiting' },
    { step: 'again', state: 'pending', queue: 'slow', when: true },
  ])
})

test('an input that is not JSON ends with 2 before anything is started', async () => {
  const { status, stderr } = await project.call('run', 'start', 'echo', '{name: Ada}')
  expect(status).toBe(2)
  expect(stderr).toContain('The input is not JSON')
  expect((await project.call('run', 'start', 'echo', '')).stderr).toContain('The input is empty.')
})

test('a start without an input takes the defaults of the schema, and an input that does not fit is refused with 4', async () => {
  const own = openFolder({ DATABASE_URL: database.url })
  own.write(
    'millrace.config.ts',
    `import { defineConfig, pipeline } from ${JSON.stringify(sdkAddress)}
import { z } from ${JSON.stringify(import.meta.resolve('zod'))}

const named = (name: string, input: z.ZodType) => pipeline(name, { input }).step('say', () => 1)
export default defineConfig({ pipelines: [
  named('greeting', z.object({ name: z.string().default('Ada') })),
  named('maybe', z.object({ name: z.string() }).optional()),
  named('none', z.null()),
  named('letter', z.object({ to: z.string(), text: z.string().default('Hello') })),
  named('word', z.string()),
] })
`,
  )
  const inputOf = async (name: string) => {
    const { stdout } = await own.call('run', 'start', name, '--json')
    const { run_id } = JSON.parse(stdout) as { run_id: string }
    return (JSON.parse((await own.call('run', 'show', run_id, '--json')).stdout) as { input: unknown }).input
  }
  expect(await inputOf('greeting')).toEqual({ name: 'Ada' })
  expect(await inputOf('maybe')).toBeNull()
  expect(await inputOf('none')).toBeNull()
  expect(await own.call('run', 'start', 'letter')).toEqual({
    status: 4,
    stdout: '',
    stderr: `Error: No input was given, and pipeline 'letter' needs one: to: Invalid input: expected string, received undefined. Give it as JSON, as in: npx millrace run start letter '{"to":"example","text":"Hello"}'\n`,
  })
  expect((await own.call('run', 'start', 'word')).stderr).toMatch(
    /needs one: Invalid input: expected string, received undefined\. .* run start word '"example"'\n$/,
  )
  const refused = await own.call('run', 'start', 'letter', '{"to": 1}')
  expect(refused.status).toBe(4)
  expect(refused.stderr).toContain('to: Invalid input: expected string, received number.')
  own.close()
})

test('a run that no live worker serves is started with a word about it', async () => {
  expect((await project.call('run', 'start', 'echo', '1')).stderr).toBe(
    'No live worker serves it at present; start one with: npx millrace worker\n',
  )
})

test('an unknown pipeline is named, with where the known ones are listed', async () => {
  const { status, stderr } = await project.call('run', 'start', 'nobody')
  expect(status).toBe(4)
  expect(stderr).toBe(
    "Error: There is no pipeline 'nobody'. A worker that serves it registers it. List those that there are with: npx millrace pipeline list\n",
  )
})

test('a mistake in a pipeline of the configuration ends with 2', async () => {
  const config = project.write('wrong.config.ts', echoConfig.replace("'echo'", "'Not A Name'"))
  expect(await project.call('run', 'list', '--config', config)).toMatchObject({
    status: 2,
    stderr: expect.stringContaining("'Not A Name' names no pipeline"),
  })
})

test('a list of runs at 80 columns cuts names and keys, and never a state or a time', async () => {
  const run = await started('territory-sweep-of-the-united-states', JSON.stringify({ state: 'x'.repeat(60) }))
  await project.call('run', 'cancel', run)
  await database.query(
    "update millrace.run set finished_at = created_at + interval '9 minutes 59 seconds' where id = $1",
    [run],
  )
  const { stdout } = await project.call('run', 'list', '--key', 'x'.repeat(60))
  expect(longest(stdout)).toBeLessThanOrEqual(80)
  expect(stdout.split('\n')[1]).toMatch(new RegExp(`^${run}  territ.*…  x+…  cancelled  \\d s  9\\.9 min$`))
})

test('a paused pipeline refuses starts with 4, and says how to resume it', async () => {
  await started('echo', '3')
  expect((await project.call('pipeline', 'pause', 'echo', '--reason', 'the disk is full')).stdout).toBe(
    'The pipeline echo is paused.\n',
  )
  const refused = await project.call('run', 'start', 'echo', '4')
  expect(refused).toMatchObject({ status: 4, stdout: '' })
  expect(refused.stderr).toMatch(
    /^Error: The start is refused: The pipeline 'echo' was paused by \S+ on .+: the disk is full\. Resume it with: npx millrace pipeline resume echo\n$/,
  )
  expect((await project.call('pipeline', 'show', 'echo')).stdout).toContain('UTC: the disk is full.')
  expect((await project.call('pipeline', 'resume', 'echo')).stdout).toBe('The pipeline echo goes on.\n')
  expect((await project.call('pipeline', 'resume', 'echo')).stdout).toBe(
    'The pipeline echo was not paused.\n',
  )
})

test('an idempotency key answers with its run, and refuses another input with 4', async () => {
  const run = await started('echo', '5', '--idempotency-key', 'five')
  expect((await project.call('run', 'start', 'echo', '5', '--idempotency-key', 'five')).stdout).toContain(
    `since its idempotency key was used: it is run ${run}.`,
  )
  expect((await project.call('run', 'start', 'echo', '6', '--idempotency-key', 'five')).status).toBe(4)
})

test('pipeline list and show tell versions, live runs, and the steps as a tree', async () => {
  await started('echo', '7')
  const list = await project.call('pipeline', 'list')
  expect(longest(list.stdout)).toBeLessThanOrEqual(80)
  expect(list.stdout).toMatch(/^pipeline +version +starts +live runs +last run +begun$/m)
  expect(list.stdout).toMatch(/^echo +1 +taken +\d+ +pending +/m)
  const shown = await project.call('pipeline', 'show', 'territory-sweep-of-the-united-states')
  expect(shown.stdout).toContain(
    'One live run for each state.\n\n  search\n  └─ enrich  (map over search)\n\nversion',
  )
  expect((await project.call('pipeline', 'show', 'nobody')).stderr).toContain(
    "There is no pipeline 'nobody'.",
  )
  expect((await project.call('pipeline', 'activate', 'echo', '1')).stdout).toBe(
    'Version 1 of echo is active.\n',
  )
  expect((await project.call('pipeline', 'activate', 'echo', '9')).stderr).toContain(
    "There is no version 9 of a pipeline 'echo'.",
  )
})

test('on a terminal tables have a rule and colours; with NO_COLOR no colours', async () => {
  await started('echo', '8')
  const coloured = await project.callOnTerminal('run', 'list', '--limit', '1')
  expect(coloured.stdout).toContain('\u001b[1mrun')
  expect(coloured.stdout).toContain('────')
  const plain = await project.call('run', 'list', '--limit', '1')
  for (const mark of ['\u001b', '─', '│']) expect(plain.stdout).not.toContain(mark)
})

test('migrate --plan on an up-to-date schema has nothing to do', async () => {
  expect(await project.call('migrate')).toMatchObject({ status: 0 })
  const { stdout } = await project.call('migrate', '--plan', '--json')
  expect(JSON.parse(stdout)).toMatchObject({ applied: [], pending: [] })
})
