// Owns the commands of millrace callback, in the order of its help.
import type { Command } from 'commander'
import { group } from '../group.ts'
import type { CurrentSession } from '../session.ts'
import { listCommand } from './list.ts'
import { resendCommand } from './resend.ts'
import { showCommand } from './show.ts'

export function callbackGroup(current: CurrentSession): Command {
  return group('callback', 'see what other servers are told of the ends of runs, and send it again', [
    listCommand(current),
    showCommand(current),
    resendCommand(current),
  ])
}
