// Owns what a run's account says of its origin: of which run it was made, what came of it, and how often people have changed it.
import { runAccount } from '../db/accounts.ts'
import type { Caller } from '../db/call.ts'
import type { RunLineage } from './redrives.ts'

/** @throws MillraceError run_unknown */
export async function readLineage(caller: Caller, runId: string): Promise<RunLineage> {
  const { of, into } = (await runAccount(caller, runId)).lineage
  return {
    of:
      of === null
        ? null
        : { run: of.run, kind: of.kind, step: of.step, difference: of.difference, by: of.by },
    into: into.map(({ run, kind, step, state }) => ({ run, kind, step, state })),
  }
}

/** @throws MillraceError run_unknown */
export async function readRevision(caller: Caller, runId: string): Promise<number> {
  return (await runAccount(caller, runId)).run.revision
}
