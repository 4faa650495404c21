// Owns the commands of millrace signal, in the order of its help.
import type { Command } from 'commander'
import { group } from '../group.ts'
import type { CurrentSession } from '../session.ts'
import { sendCommand } from './send.ts'

export function signalGroup(current: CurrentSession): Command {
  return group('signal', 'send signals to runs that wait', [sendCommand(current)])
}
