// Owns the commands of millrace service-account, in the order of its help.
import type { Command } from 'commander'
import { group } from '../group.ts'
import type { CurrentSession } from '../session.ts'
import { createCommand } from './create.ts'
import { disableCommand, enableCommand } from './disable.ts'
import { listCommand } from './list.ts'

export function serviceAccountGroup(current: CurrentSession): Command {
  return group('service-account', "make, list and disable programs whose keys are nobody's own", [
    listCommand(current),
    createCommand(current),
    disableCommand(current),
    enableCommand(current),
  ])
}
