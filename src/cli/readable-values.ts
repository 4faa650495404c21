// Owns how commands show what is encrypted: decrypted where a key is given, else that it is encrypted, and with which key.
import { shown } from '../core/run-cipher.ts'
import type { Caller } from '../db/call.ts'
import type { RunValues } from '../db/run-list.ts'
import { SealedRuns } from '../sdk/sealed-runs.ts'
import type { Session } from './session.ts'

export async function readableValues(
  session: Session,
  caller: Caller,
  runId: string,
  values: RunValues,
): Promise<RunValues> {
  const sealed = new SealedRuns(caller, await session.findCipher().catch(() => undefined))
  const { input, output } = values
  return {
    ...values,
    input: await orShown(() => sealed.input(runId, input), input),
    output: await orShown(() => sealed.output(runId, output), output),
  }
}

async function orShown(open: () => Promise<unknown>, value: unknown): Promise<unknown> {
  try {
    return await open()
  } catch {
    return shown(value)
  }
}
