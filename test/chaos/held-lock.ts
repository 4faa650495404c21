// Owns what a step of the load does under a named lock: it writes down when it came and when it went, so that two at once show themselves.
import { setTimeout as pause } from 'node:timers/promises'
import type { HandlerContext } from '../../src/sdk/context.ts'

const againMs = 50

/**
 * Both are written by the database's clock, while the lock is held. Until they are, the lock is kept: whoever gave it back without a word would seem to
 * hold it still. An attempt that is told to stop writes nothing more.
 */
export async function holdLock(
  {
    lock,
    sql,
    run,
    step,
    attempt,
    abort,
  }: Pick<HandlerContext, 'lock' | 'sql' | 'run' | 'step' | 'attempt' | 'abort'>,
  { name, ms }: { readonly name: string; readonly ms: number },
): Promise<void> {
  await lock(name, async ({ token }) => {
    await untilWritten(
      abort,
      () => sql`insert into public.hold (name, token, run_id, step, attempt) values (${name}, ${token}, ${run.id}, ${step}, ${attempt})
                    on conflict (token, run_id, attempt) do nothing`,
    )
    await pause(ms)
    await untilWritten(
      abort,
      () =>
        sql`update public.hold set left_at = clock_timestamp() where token = ${token} and run_id = ${run.id} and attempt = ${attempt}`,
    )
  })
}

async function untilWritten(abort: AbortSignal, write: () => Promise<unknown>): Promise<void> {
  for (;;) {
    abort.throwIfAborted()
    try {
      await write()
      return
    } catch {
      await pause(againMs, undefined, { signal: abort })
    }
  }
}
