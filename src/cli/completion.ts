// millrace completion: a script by which a shell completes the command line.
import { Argument, Command } from 'commander'
import { completionScript, type Shell, shells } from './completion-scripts.ts'
import { completionTree } from './completion-tree.ts'

export function completionCommand(): Command {
  return new Command('completion')
    .description('print what makes a shell complete millrace')
    .addArgument(new Argument('<shell>', 'which').choices(shells))
    .action((shell: Shell, _: object, command: Command) => {
      const program = command.parent!
      program.configureOutput().writeOut?.(completionScript(shell, completionTree(program)))
    })
}
