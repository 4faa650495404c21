// Owns the commands of millrace webhook, in the order of its help.
import type { Command } from 'commander'
import { group } from '../group.ts'
import type { CurrentSession } from '../session.ts'
import { deliveriesCommand } from './deliveries.ts'
import { deliveryCommand } from './delivery.ts'
import { listCommand } from './list.ts'
import { listenCommand } from './listen.ts'
import { replayCommand } from './replay.ts'
import { revokeCommand } from './revoke.ts'
import { rotateCommand } from './rotate.ts'
import { showCommand } from './show.ts'

export function webhookGroup(current: CurrentSession): Command {
  return group('webhook', 'listen for webhooks, look at what came, judge it once more, change secrets', [
    listenCommand(current),
    listCommand(current),
    showCommand(current),
    deliveriesCommand(current),
    deliveryCommand(current),
    replayCommand(current),
    rotateCommand(current),
    revokeCommand(current),
  ])
}
