// Owns what can be completed: every command with what may stand behind it, read from the command line itself.
import type { Command, Option } from 'commander'

export interface CompletionPlace {
  /** The commands that lead there: run, list. */
  readonly path: readonly string[]
  readonly commands: ReadonlyArray<{ readonly name: string; readonly description: string }>
  readonly options: readonly CompletionOption[]
}

interface CompletionOption {
  readonly name: string
  readonly description: string
  readonly takesValue: boolean
  /** Its values, where there are only so many. */
  readonly choices: readonly string[]
}

export function completionTree(program: Command): CompletionPlace[] {
  const shared = program.options.map(optionOf)
  const places = (command: Command, path: readonly string[]): CompletionPlace[] => [
    {
      path,
      commands: command.commands.map((child) => ({ name: child.name(), description: child.description() })),
      options: path.length === 0 ? shared : [...command.options.map(optionOf), ...shared],
    },
    ...command.commands.flatMap((child) => places(child, [...path, child.name()])),
  ]
  return places(program, [])
}

function optionOf(option: Option): CompletionOption {
  return {
    name: option.long ?? option.flags,
    description: option.description,
    takesValue: option.required || option.optional,
    choices: option.argChoices ?? [],
  }
}
