// millrace watch apply: installs the row triggers of the watches, and takes away those of retired ones.
import { Command } from 'commander'
import { applyWatch, planWatches, type WatchPlanRow } from '../../db/watches.ts'
import { inTransaction } from '../../db/transaction.ts'
import { unknownWatch } from '../../sdk/watches.ts'
import type { CurrentSession } from '../session.ts'
import { listUnregistered, planWords, unregisteredWords } from './plan.ts'

export function applyCommand(current: CurrentSession): Command {
  return new Command('apply')
    .description(
      'install the row triggers that the watches need, repair them, and take away those of retired ones',
    )
    .argument('[name]', 'the name of the watch; all unless told')
    .action(async (name?: string) => {
      const session = current()
      const plans = await session.withDatabase(async ({ caller, client }) => {
        const plans = await planWatches(caller, name ?? null)
        // Each in a transaction of its own, so that a table is locked for an instant.
        for (const plan of plans.filter(isToDo)) await inTransaction(client, () => applyWatch(caller, plan))
        return plans
      })
      if (name !== undefined && plans.length === 0) throw unknownWatch(name)
      const unregistered = name === undefined ? await listUnregistered(session, plans) : []
      session.terminal.answer({ applied: plans.filter(isToDo).map((plan) => plan.name), unregistered })
      for (const plan of plans) session.terminal.print(doneWords(plan))
      for (const line of unregistered.map(unregisteredWords)) session.terminal.print(line)
      if (plans.length + unregistered.length === 0) session.terminal.print('There is no watch.')
      if (plans.some(({ fault }) => fault !== null)) session.exitStatus = 1
    })
}

function isToDo({ action, fault }: WatchPlanRow): boolean {
  return fault === null && action !== 'none'
}

function doneWords(plan: WatchPlanRow): string {
  if (!isToDo(plan)) return planWords(plan)
  const done = {
    install: 'is applied',
    repair: 'is repaired',
    remove: 'is removed',
    gone: 'is removed',
    none: '',
  }
  return `Watch ${plan.name} ${done[plan.action]}.`
}
