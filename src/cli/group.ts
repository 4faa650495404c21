// Owns how commands on one noun stand together on the command line.
import { Command } from 'commander'

export function group(name: string, description: string, commands: readonly Command[]): Command {
  const parent = new Command(name).description(description)
  for (const command of commands) parent.addCommand(command)
  return parent
}
