// Lets Spin verify the models of leases and of parking: as they are, and with one protection after the other taken out.
import { execFile } from 'node:child_process'
import { copyFile, mkdtemp, rm } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

export interface Verdict {
  readonly model: Model
  /** Its name in the model. */
  readonly claim: string
  readonly says: string
  /** The protection that was taken out, as a macro of the model. */
  readonly without: string | undefined
  readonly isExpected: boolean
  readonly holds: boolean
  readonly states: number
  readonly seconds: number
  /** What happens when the claim does not hold, a line an action. */
  readonly story: readonly string[]
}

const claims = {
  one_commit: 'at most one commit an attempt',
  latest_commits: 'only the latest attempt commits',
  failures_bounded: 'failures <= max, and they count what failed or was reclaimed',
  every_task_ends: 'every task ends, once no more faults happen',
  zombies_refused: 'a worker that was swept commits nothing',
  no_wake_up_lost: 'a step is parked only while what it waits for has not come',
  woken_once: 'a step is in one place, and each wait ends once',
  latest_parks: 'each wake gives a new attempt, and only the latest parks or completes',
  every_step_wakes: 'every step that waits completes, once no more faults happen',
  stale_refused: 'a parking that is sent again parks no later attempt',
}

/** Files of this folder. */
export const models = ['leases', 'parking'] as const
export type Model = (typeof models)[number]

type Claim = keyof typeof claims

interface Variant {
  readonly model: Model
  readonly without?: string
  readonly claims: readonly Claim[]
  readonly compile: readonly string[]
}

// Claims about a single state are searched breadth first where they must fail: so the story is the shortest one. Partial order reduction
// finds nothing to leave out, as every step touches what others read.
const variants: readonly Variant[] = [
  {
    model: 'leases',
    claims: ['one_commit', 'latest_commits', 'failures_bounded', 'every_task_ends'],
    compile: ['-O1', '-DNOREDUCE', '-DNFAIR=3'],
  },
  {
    model: 'leases',
    without: 'NO_FENCE',
    claims: ['one_commit', 'latest_commits', 'zombies_refused'],
    compile: ['-O0', '-DBFS', '-DSAFETY'],
  },
  { model: 'leases', without: 'NO_ENTRY_LOCK', claims: ['every_task_ends'], compile: ['-O0', '-DNFAIR=3'] },
  {
    model: 'parking',
    claims: ['no_wake_up_lost', 'woken_once', 'latest_parks', 'every_step_wakes'],
    compile: ['-O1', '-DNOREDUCE', '-DNFAIR=3'],
  },
  {
    model: 'parking',
    without: 'NO_NAME_LOCK',
    claims: ['no_wake_up_lost'],
    compile: ['-O0', '-DBFS', '-DSAFETY'],
  },
  { model: 'parking', without: 'NO_ROW_LOCK', claims: ['woken_once'], compile: ['-O0', '-DBFS', '-DSAFETY'] },
  {
    model: 'parking',
    without: 'NO_RAISE',
    claims: ['latest_parks', 'stale_refused'],
    compile: ['-O0', '-DBFS', '-DSAFETY'],
  },
]

const programs = ['spin', 'gcc']
const limitMs = 300_000

const execute = promisify(execFile)

/** What Spin needs and this machine lacks. */
export function missingPrograms(): string[] {
  const folders = (process.env.PATH ?? '').split(delimiter)
  return programs.filter((name) => !folders.some((folder) => existsSync(join(folder, name))))
}

/**
 * Gives each verdict as it is reached.
 *
 * @param defines macros for the models, such as MAX_ATTEMPTS=3
 * @throws when Spin or the compiler refuses the model, or the search was not exhaustive
 */
export async function* verifyModels(
  defines: readonly string[] = [],
  wanted: readonly Model[] = models,
): AsyncGenerator<Verdict> {
  for (const variant of variants.filter(({ model }) => wanted.includes(model))) {
    const folder = await mkdtemp(join(tmpdir(), 'millrace-model-'))
    try {
      await buildVerifier(folder, variant, defines)
      for (const claim of variant.claims) yield await verifyClaim(folder, variant, claim)
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  }
}

async function buildVerifier(
  folder: string,
  { model, without, compile }: Variant,
  defines: readonly string[],
): Promise<void> {
  const file = `${model}.pml`
  await copyFile(fileURLToPath(new URL(file, import.meta.url)), join(folder, file))
  const macros = [...defines, ...(without === undefined ? [] : [without])].map((name) => `-D${name}`)
  await run(folder, 'spin', ['-a', ...macros, file])
  await run(folder, 'gcc', ['-w', '-DMEMLIM=2048', ...compile, '-o', 'pan', 'pan.c'])
}

async function verifyClaim(folder: string, { model, without }: Variant, claim: Claim): Promise<Verdict> {
  const begun = performance.now()
  // Acceptance cycles, under weak fairness: what a claim about the end of things needs.
  const search = claim.startsWith('every_') ? ['-a', '-f'] : []
  const output = await run(folder, './pan', [...search, '-m100000', '-w21', '-N', claim])
  const seconds = (performance.now() - begun) / 1000
  const { holds, states } = readSearch(output)
  const story = holds ? [] : readStory(await run(folder, './pan', ['-S', '-N', claim, `${model}.pml.trail`]))
  return {
    model,
    claim,
    says: claims[claim],
    without,
    isExpected: holds === (without === undefined),
    holds,
    states,
    seconds,
    story,
  }
}

/** A search that ended early, or found something else than was asked for, is no verdict. */
function readSearch(output: string): { holds: boolean; states: number } {
  const states = Number(/^\s*(\d+) states, stored/m.exec(output)?.[1])
  const errors = Number(/errors: (\d+)/.exec(output)?.[1])
  const holds = errors === 0 && !/max search depth too small|Search not completed/.test(output)
  const fails = errors === 1 && /assertion violated|acceptance cycle/.test(output)
  if (!(states > 0) || holds === fails) throw new Error(`Spin did not come to a verdict:\n${output}`)
  return { holds, states }
}

/** The lines that a model prints, from those that Spin adds. */
function readStory(replay: string): string[] {
  const [told = ''] = replay.split(/^spin: trail ends/m)
  return told
    .split('\n')
    .filter((line) => line !== '' && !/^(pan: |MSC: )/.test(line))
    .map((line) => (/START OF CYCLE/.test(line) ? 'and from here on, for ever:' : line))
}

/** The verifier ends well or not by what it finds, so its status says nothing that its output doesn't. */
async function run(folder: string, file: string, args: readonly string[]): Promise<string> {
  const options = {
    cwd: folder,
    timeout: limitMs,
    killSignal: 'SIGKILL',
    maxBuffer: 64 * 1024 * 1024,
  } as const
  if (file !== './pan') return (await execute(file, args, options)).stdout
  return execute(join(folder, 'pan'), args, options).then(
    ({ stdout }) => stdout,
    (error: { stdout?: string }) => error.stdout ?? '',
  )
}
