#!/usr/bin/env node
// The program millrace: puts the commands together, runs one, and ends with its status.
import fs from 'node:fs'
import { type Command, CommanderError } from 'commander'
import { tellFailure } from './failure.ts'
import { createProgram } from './program.ts'
import { type GlobalOptions, Session, type Surroundings } from './session.ts'
import { createTerminal } from './terminal.ts'

const statusOfUsage = 2

const surroundings: Surroundings = {
  stdout: process.stdout,
  stderr: process.stderr,
  environment: process.env,
  folder: process.cwd(),
}

// A reader that has seen enough (| head) closes the pipe; that is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0)
})

process.exitCode = await main(process.argv.slice(2))

async function main(args: string[]): Promise<number> {
  let session: Session | undefined
  const program = createProgram(() => session ?? refuse(), version())
  prepare(program)
  program.hook('preAction', (_, command) => {
    session = new Session(command.optsWithGlobals<GlobalOptions>(), surroundings)
  })
  try {
    await program.parseAsync(args, { from: 'user' })
    if (session?.mustExit) process.exit(session.exitStatus)
    return session?.exitStatus ?? 0
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : statusOfUsage
    const terminal = session?.terminal ?? createTerminal(surroundings, args.includes('--json'))
    return tellFailure(error, terminal, args.includes('--debug'))
  }
}

function refuse(): never {
  throw new Error('A command asked for its session before it ran.')
}

/** Errors are thrown instead of ending the process, global options stand in every help, and hints are one line. */
function prepare(command: Command): void {
  command.exitOverride().configureHelp({ showGlobalOptions: true }).showSuggestionAfterError()
  command.configureOutput({
    outputError: (text, write) => write(`${text.replace(/^error: /, 'Error: ').trimEnd()} See millrace --help.\n`),
  })
  for (const child of command.commands) prepare(child)
}

function version(): string {
  const file = new URL('../../package.json', import.meta.url)
  return (JSON.parse(fs.readFileSync(file, 'utf8')) as { version: string }).version
}
