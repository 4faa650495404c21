// A program that a test starts: what it printed, how it ended, and that it does not outlive the test.
import { type ChildProcess, spawn } from 'node:child_process'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, inject } from 'vitest'

export interface Program {
  readonly child: ChildProcess
  /** All that it printed so far, on both of its outputs. */
  readonly printed: () => string
  /** What of it went to standard output. */
  readonly output: () => string
  /** Its exit code, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals>
  /** Ends it if it still runs. */
  kill(): Promise<void>
}

const root = fileURLToPath(new URL('..', import.meta.url))

/** Starts a program in the folder of the project, with this environment besides ours; undefined takes a variable away. */
export function startProgram(
  file: string,
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>> = {},
): Program {
  const child = spawn(file, args, {
    cwd: root,
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let [printed, output] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (more: string) => {
    printed += more
    output += more
  })
  child.stderr.setEncoding('utf8').on('data', (more: string) => {
    printed += more
  })
  const ended = new Promise<number | NodeJS.Signals>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) => resolve(signal ?? code ?? 1))
  })
  const kill = async () => {
    child.kill('SIGKILL')
    await ended
  }
  return { child, printed: () => printed, output: () => output, ended, kill }
}

/** What Node is given to run a program of `src` or `test/programs`: the file that the run has compiled of it. */
export function compiled(file: string): string {
  const name = path.relative(root, path.resolve(root, file))
  return path.join(inject('compiledFolder'), name.replace(/\.ts$/, '.js'))
}

/** Starts a program of `src` or `test/programs`. */
export function startCompiled(
  file: string,
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>> = {},
): Program {
  return startProgram(process.execPath, [compiled(file), ...args], environment)
}

/** Starts any other TypeScript program. */
export function startTypeScript(
  file: string,
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>> = {},
): Program {
  return startProgram(process.execPath, ['--import', 'tsx', file, ...args], environment)
}

/** Takes programs that are killed after the test in which they were started. */
export function untilTestEnds(): (program: Program) => Program {
  const programs: Program[] = []
  afterEach(async () => {
    for (const program of programs.splice(0)) await program.kill()
  })
  return (program) => {
    programs.push(program)
    return program
  }
}
