// millrace watch apply: installs the row triggers of the watches, and takes away those of retired ones.
import { Command } from 'commander'
import { applyWatch, planWatches, type WatchPlanRow } from '../../db/watches.ts'
import { inTransaction } from '../../db/transaction.ts'
import { unknownWatch } from '../../sdk/watches.ts'
import type { CurrentSession, OpenDatabase, Session } from '../session.ts'
import { listUnregistered, planWords, unregisteredWords } from './plan.ts'

export function applyCommand(current: CurrentSession): Command {
  return new Command('apply')
    .description(
      'install the row triggers that the watches need, repair them, and take away those of retired ones',
    )
    .argument('[name]', 'the name of the watch; all unless told')
    .action(async (name?: string) => {
      const session = current()
      // What declares watches is asked for afterwards: where it does not load, nothing is done.
      if (name === undefined) await session.findConfig()
      const plans = await session.withDatabase((database) => apply(session, database, name ?? null))
      if (name !== undefined && plans.length === 0) throw unknownWatch(name)
      const unregistered = name === undefined ? await listUnregistered(session, plans) : []
      session.terminal.answer({ applied: plans.filter(isToDo).map((plan) => plan.name), unregistered })
      for (const plan of plans) session.terminal.print(doneWords(plan))
      for (const line of unregistered.map(unregisteredWords)) session.terminal.print(line)
      if (plans.length + unregistered.length === 0) session.terminal.print('There is no watch.')
      if (plans.some(({ fault }) => fault !== null)) session.exitStatus = 1
    })
}

/** Each in a transaction of its own, so that a table is locked for an instant. Where one fails, those before it are told first. */
async function apply(
  { terminal }: Session,
  { caller, client }: OpenDatabase,
  name: string | null,
): Promise<WatchPlanRow[]> {
  const plans = await planWatches(caller, name)
  const done: WatchPlanRow[] = []
  try {
    for (const plan of plans.filter(isToDo)) {
      await inTransaction(client, () => applyWatch(caller, plan))
      done.push(plan)
    }
  } catch (error) {
    if (done.length > 0) terminal.answer({ applied: done.map((plan) => plan.name) })
    for (const plan of done) terminal.print(doneWords(plan))
    throw error
  }
  return plans
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
