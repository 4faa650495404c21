// Lets Spin verify the model of leases: as it is, and with one protection after the other taken out.
import { execFile } from 'node:child_process'
import { copyFile, mkdtemp, rm } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

export interface Verdict {
  /** Its name in leases.pml. */
  readonly claim: string
  readonly says: string
  /** The protection that was taken out, as a macro of leases.pml. */
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
}

type Claim = keyof typeof claims

interface Variant {
  readonly without?: string
  readonly claims: readonly Claim[]
  readonly compile: readonly string[]
}

// Claims about a single state are searched breadth first where they must fail: so the story is the shortest one. Partial order reduction
// finds nothing to leave out, as every step touches what others read.
const variants: readonly Variant[] = [
  {
    claims: ['one_commit', 'latest_commits', 'failures_bounded', 'every_task_ends'],
    compile: ['-O1', '-DNOREDUCE', '-DNFAIR=3'],
  },
  {
    without: 'NO_FENCE',
    claims: ['one_commit', 'latest_commits', 'zombies_refused'],
    compile: ['-O0', '-DBFS', '-DSAFETY'],
  },
  { without: 'NO_ENTRY_LOCK', claims: ['every_task_ends'], compile: ['-O0', '-DNFAIR=3'] },
]

const model = 'leases.pml'
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
 * @param defines macros for the model, such as MAX_ATTEMPTS=3
 * @throws when Spin or the compiler refuses the model, or the search was not exhaustive
 */
export async function* verifyModel(defines: readonly string[] = []): AsyncGenerator<Verdict> {
  for (const variant of variants) {
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
  { without, compile }: Variant,
  defines: readonly string[],
): Promise<void> {
  await copyFile(fileURLToPath(new URL(model, import.meta.url)), join(folder, model))
  const macros = [...defines, ...(without === undefined ? [] : [without])].map((name) => `-D${name}`)
  await run(folder, 'spin', ['-a', ...macros, model])
  await run(folder, 'gcc', ['-w', '-DMEMLIM=2048', ...compile, '-o', 'pan', 'pan.c'])
}

async function verifyClaim(folder: string, { without }: Variant, claim: Claim): Promise<Verdict> {
  const begun = performance.now()
  // Acceptance cycles, under weak fairness: what a claim about the end of things needs.
  const search = claim === 'every_task_ends' ? ['-a', '-f'] : []
  const output = await run(folder, './pan', [...search, '-m100000', '-w21', '-N', claim])
  const seconds = (performance.now() - begun) / 1000
  const { holds, states } = readSearch(output)
  const story = holds ? [] : readStory(await run(folder, './pan', ['-S', '-N', claim, `${model}.trail`]))
  return {
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

/** The lines that leases.pml prints, from those that Spin adds. */
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
