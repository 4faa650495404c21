// Owns what cancel, pause and resume have in common: one run, a change that may have been made already, and its telling.
import type { Caller } from '../../db/call.ts'
import { runIdOf } from '../run-id.ts'
import type { Session } from '../session.ts'

export interface RunChange {
  /** Answers whether it changed anything. */
  readonly change: (caller: Caller, runId: string) => Promise<boolean>
  readonly done: string
  /** Why nothing had to be changed. */
  readonly already: string
}

export async function changeRun(
  session: Session,
  run: string,
  { change, done, already }: RunChange,
): Promise<void> {
  const id = runIdOf(run)
  const changed = await session.withDatabase(({ caller }) => change(caller, id))
  session.terminal.answer({ run_id: id, changed })
  session.terminal.print(`Run ${id} ${changed ? done : already}.`)
}
