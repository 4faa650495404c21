// millrace watch plan: what there is to install and to take away, so that tables record what the watches ask for.
import { Command } from 'commander'
import { planWatches, type WatchPlanRow } from '../../db/watches.ts'
import { unknownWatch } from '../../sdk/watches.ts'
import type { CurrentSession, Session } from '../session.ts'

export function planWatchesCommand(current: CurrentSession): Command {
  return new Command('plan')
    .description('show the row triggers that watch apply would install, and what it would take away')
    .argument('[name]', 'the name of the watch; all unless told')
    .action(async (name?: string) => {
      const session = current()
      const plans = await session.withDatabase(({ caller }) => planWatches(caller, name ?? null))
      if (name !== undefined && plans.length === 0) throw unknownWatch(name)
      const unregistered = name === undefined ? await listUnregistered(session, plans) : []
      session.terminal.answer({ plans, unregistered })
      for (const plan of plans) printPlan(session, plan)
      for (const line of unregistered.map(unregisteredWords)) session.terminal.print(line)
      if (plans.length + unregistered.length === 0) session.terminal.print('There is no watch.')
    })
}

function printPlan({ terminal }: Session, plan: WatchPlanRow): void {
  terminal.print(planWords(plan))
  if (plan.fault !== null || plan.action === 'none' || plan.action === 'gone') return
  terminal.print()
  for (const statement of plan.statements) terminal.printLines(`${statement};\n`)
}

const actionWords = {
  install: 'is not applied. To install:',
  repair: 'is not as it should be. To repair:',
  remove: 'is retired. To take away:',
  none: 'is applied as it is now.',
  gone: 'is retired, and nothing of it is left.',
} as const

export function planWords({ name, action, fault }: WatchPlanRow): string {
  return fault === null ? `Watch ${name} ${actionWords[action]}` : `Watch ${name} can't be applied: ${fault}.`
}

/** Watches that the configuration declares, and that no worker has registered yet. */
export async function listUnregistered(session: Session, plans: readonly WatchPlanRow[]): Promise<string[]> {
  const loaded = await session.findConfig()
  const declared = (loaded?.config.triggers ?? []).filter(({ kind }) => kind === 'watch')
  return declared.map(({ name }) => name).filter((name) => !plans.some((plan) => plan.name === name))
}

export function unregisteredWords(name: string): string {
  return `Watch ${name} is declared, and no worker has registered it yet: start one with npx millrace worker`
}
