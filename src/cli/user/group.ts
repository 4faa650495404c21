// Owns the commands of millrace user, in the order of its help.
import type { Command } from 'commander'
import { group } from '../group.ts'
import type { CurrentSession } from '../session.ts'
import { changeCommand } from './change.ts'
import { disableCommand, enableCommand, endSessionsCommand } from './disable.ts'
import { inviteCommand } from './invite.ts'
import { linkCommand } from './link.ts'
import { listCommand } from './list.ts'
import { showCommand } from './show.ts'

export function userGroup(current: CurrentSession): Command {
  return group('user', 'invite people, list and change them, sign them out, disable them', [
    listCommand(current),
    showCommand(current),
    inviteCommand(current),
    linkCommand(current),
    changeCommand(current),
    disableCommand(current),
    enableCommand(current),
    endSessionsCommand(current),
  ])
}
