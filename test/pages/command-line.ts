// Owns the commands of the pages as the command line reads them: each must be one, and know the options that stand behind it.
import type { Command } from 'commander'
import { createProgram } from '../../src/cli/program.ts'

const program = createProgram(() => {
  throw new Error('no command is run')
}, '0')

/** Every command that does something, as it is typed. */
export function commands(parent: Command = program, path: readonly string[] = []): string[] {
  return parent.commands.flatMap((child) => {
    const own = [...path, child.name()]
    const leaves = commands(child, own)
    return child.commands.length === 0 || hasAction(child) ? [own.join(' '), ...leaves] : leaves
  })
}

// commander keeps the action of a command under this name.
const hasAction = (command: Command): boolean => Reflect.get(command, '_actionHandler') !== null

/** What is wrong with a command as it stands in a page, or undefined. Of `a|b` each stands for itself. */
export function faultOfCommand(text: string): string | undefined {
  const [several] = /[a-z]+(?:\|[a-z]+)+/.exec(text) ?? []
  if (several === undefined) return faultOfOne(text)
  return several
    .split('|')
    .map((one) => faultOfOne(text.replace(several, one)))
    .find((fault) => fault !== undefined)
}

function faultOfOne(text: string): string | undefined {
  const words = wordsOf(text.replace(/^(npx )?millrace\b/, ''))
  let command = program
  while (words.length > 0) {
    const child = command.commands.find((one) => one.name() === words[0])
    if (child === undefined) break
    command = child
    words.shift()
  }
  if (command === program && words[0] !== undefined && !words[0].startsWith('-') && words[0] !== 'COMMAND')
    return `there is no command '${words[0]}'`
  const values = words.filter((word) => !word.startsWith('-') || word === '-')
  if (command.commands.length > 0 && !hasAction(command) && values.length > 0 && command !== program)
    return `'${command.name()}' has no command '${values[0]}'`
  const unknown = words.filter((word) => /^--?[a-z]/.test(word)).find((word) => !knows(command, word))
  return unknown === undefined ? undefined : `'${command.name()}' has no option ${unknown}`
}

/** Whether one of these commands takes an option. */
export const takesOption = (paths: readonly string[], option: string): boolean =>
  paths.some((path) => faultOfCommand(`millrace ${path} ${option}`) === undefined)

function knows(command: Command, option: string): boolean {
  const [name] = option.split('=')
  if (name === '--help' || name === '-h') return true
  for (let at: Command | null = command; at !== null; at = at.parent)
    if (at.options.some((one) => one.long === name || one.short === name)) return true
  return false
}

function wordsOf(text: string): string[] {
  return [...text.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map(
    ([, one, two, bare]) => one ?? two ?? bare ?? '',
  )
}
