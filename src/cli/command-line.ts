// Owns one call of the command line: parses it, runs its command, tells what went wrong, and answers with the exit status.
import fs from 'node:fs'
import { type Command, CommanderError } from 'commander'
import { MillraceError } from '../core/errors.ts'
import { tellFailure } from './failure.ts'
import { createProgram } from './program.ts'
import { type GlobalOptions, Session, type Surroundings } from './session.ts'
import { createTerminal } from './terminal.ts'

const statusOfUsage = 2

/** Runs the command that the arguments name, and answers with the exit status. */
export async function runCommandLine(args: readonly string[], surroundings: Surroundings): Promise<number> {
  let session: Session | undefined
  const program = createProgram(() => session ?? refuse(), packageVersion())
  const isJson = args.includes('--json')
  prepare(program, surroundings, isJson)
  program.hook('preAction', (_, command) => {
    session = new Session(command.optsWithGlobals<GlobalOptions>(), surroundings)
  })
  try {
    await program.parseAsync(args, { from: 'user' })
    if (session?.mustExit) process.exit(session.exitStatus)
    return session?.exitStatus ?? 0
  } catch (error) {
    const terminal = session?.terminal ?? createTerminal(surroundings, isJson)
    if (!(error instanceof CommanderError)) return tellFailure(error, terminal, args.includes('--debug'))
    if (error.exitCode === 0) return 0
    if (isJson && error.code === 'commander.help') tellFailure(noCommand(), terminal, false)
    return statusOfUsage
  }
}

/** Of a group alone; people get its help. */
function noCommand(): MillraceError {
  return new MillraceError('command_invalid', 'No command is given.', { hint: 'See npx millrace --help.' })
}

function refuse(): never {
  throw new Error('A command asked for its session before it ran.')
}

/** Errors are thrown instead of ending the process, and every help shows the options that all commands take. */
function prepare(command: Command, surroundings: Surroundings, isJson: boolean): void {
  const { stdout, stderr } = surroundings
  command.exitOverride().configureHelp({
    showGlobalOptions: true,
    helpWidth: helpColumns,
    minWidthToWrap: helpColumnsToWrap,
  })
  command.configureOutput({
    writeOut: (text) => stdout.write(text),
    writeErr: (text) => {
      if (!isJson) stderr.write(text)
    },
    outputError: (text) => {
      const message = sentences(text)
      const hint = `See npx ${path(command)} --help.`
      tellFailure(
        new MillraceError('command_invalid', message, { hint }),
        createTerminal(surroundings, isJson),
        false,
      )
    },
  })
  for (const child of command.commands) prepare(child, surroundings, isJson)
}

const helpColumns = 80
/** Where a term is long, what is said of it is wrapped in fewer columns than commander's 40, under which it would run on. */
const helpColumnsToWrap = 20

/** 'error: unknown option' with its suggestion on a line of its own, as one sentence after another. */
function sentences(text: string): string {
  const [first = '', ...rest] = text
    .replace(/^error: /, '')
    .trim()
    .split('\n')
  const begun = `${first.charAt(0).toUpperCase()}${first.slice(1).replace(/\.$/, '')}.`
  return [begun, ...rest.map((line) => line.replace(/^\((.*)\)$/, '$1'))].join(' ')
}

function path(command: Command): string {
  return command.parent === null ? command.name() : `${path(command.parent)} ${command.name()}`
}

function packageVersion(): string {
  const file = new URL('../../package.json', import.meta.url)
  return (JSON.parse(fs.readFileSync(file, 'utf8')) as { version: string }).version
}
