// millrace watch pause and resume: its changes are recorded meanwhile, and start their runs afterwards.
import { Command } from 'commander'
import { Watches } from '../../sdk/watches.ts'
import type { CurrentSession } from '../session.ts'

export function pauseCommand(current: CurrentSession): Command {
  return new Command('pause')
    .description('pause a watch: its changes are recorded, and start their runs when it is resumed')
    .argument('<name>', 'the name of the watch')
    .action((name: string) => tell(current, name, 'paused', (watches) => watches.pause(name)))
}

export function resumeCommand(current: CurrentSession): Command {
  return new Command('resume')
    .description('let a paused watch go on: what was recorded meanwhile starts its runs')
    .argument('<name>', 'the name of the watch')
    .action((name: string) => tell(current, name, 'going on', (watches) => watches.resume(name)))
}

async function tell(
  current: CurrentSession,
  name: string,
  state: string,
  change: (watches: Watches) => Promise<boolean>,
): Promise<void> {
  const session = current()
  const changed = await session.withDatabase(({ caller }) =>
    change(new Watches(() => Promise.resolve(caller))),
  )
  session.terminal.answer({ name, changed })
  session.terminal.print(changed ? `Watch ${name} is ${state}.` : `Watch ${name} is ${state} already.`)
}
