// One run of a program of the PostgreSQL distribution, as the user that may run it.
import { spawn } from 'node:child_process'

/** A user of this machine, as whom a program can be run. */
export interface SystemUser {
  uid: number
  gid: number
  name: string
}

export interface CommandOptions {
  /** Who runs it; left out: whoever runs this process. */
  user: SystemUser | undefined
  /** Must be a folder that the user can enter: PostgreSQL's programs look at where they stand. */
  cwd: string
  /** Text for standard input. */
  input?: string
  /** A program that leaves a server behind must not hold our pipes open: its output is dropped. */
  leavesServer?: boolean
}

export interface CommandResult {
  ok: boolean
  /** Both streams, in the order in which they came, or why the program could not be run. */
  output: string
  /** The system's word when the program could not be run at all (ENOENT, EACCES, EINVAL). */
  systemError: string | undefined
}

/** Runs a program to its end; never throws, because each caller has its own sentence for a failure. */
export function runCommand(file: string, args: string[], options: CommandOptions): Promise<CommandResult> {
  return new Promise((resolve) => {
    const identity = options.user === undefined ? {} : { uid: options.user.uid, gid: options.user.gid }
    const out = options.leavesServer ? 'ignore' : 'pipe'
    const child = spawn(file, args, {
      ...identity,
      cwd: options.cwd,
      env: serverEnvironment(),
      stdio: [options.input === undefined ? 'ignore' : 'pipe', out, out],
      windowsHide: true,
    })
    let output = ''
    const collect = (chunk: Buffer): void => {
      output += chunk.toString('utf8')
    }
    child.stdout?.on('data', collect)
    child.stderr?.on('data', collect)
    child.on('error', (error: NodeJS.ErrnoException) =>
      resolve({ ok: false, output: error.message, systemError: error.code ?? 'unknown' }),
    )
    child.on('close', (code) => resolve({ ok: code === 0, output, systemError: undefined }))
    // A program that ends before it has read everything says why on its error stream, not here.
    child.stdin?.on('error', () => {})
    child.stdin?.end(options.input)
  })
}

/** PG… variables of the person's shell point at another server; messages are read by us, so they are English. */
function serverEnvironment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith('PG'))
  return { ...Object.fromEntries(kept), LC_ALL: 'C', TZ: 'UTC' }
}
