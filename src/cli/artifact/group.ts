// Owns the commands of millrace artifact, in the order of its help.
import type { Command } from 'commander'
import { group } from '../group.ts'
import type { CurrentSession } from '../session.ts'
import { getCommand } from './get.ts'

export function artifactGroup(current: CurrentSession): Command {
  return group('artifact', 'read what runs have written', [getCommand(current)])
}
