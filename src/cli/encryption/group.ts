// Owns the commands of millrace encryption, in the order of its help.
import type { Command } from 'commander'
import { group } from '../group.ts'
import type { CurrentSession } from '../session.ts'
import { rotateCommand } from './rotate.ts'

export function encryptionGroup(current: CurrentSession): Command {
  return group('encryption', 'change the key of what is stored', [rotateCommand(current)])
}
