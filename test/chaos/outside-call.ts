// Owns how steps of the load call the world outside, which keeps the idempotency key of each call.

export interface OutsideCall {
  readonly run: string
  readonly step: string
  readonly key: string
  /** What it answers with. */
  readonly n: number
  /** Whether the step is going to fail after the answer, and so to call once more. */
  readonly isRepeated: boolean
  readonly abort: AbortSignal
}

/** As this process reaches it: a worker in a network of its own knows it by another address. */
export function outsideUrl(path: string): string {
  return `${process.env['MILLRACE_CHAOS_OUTSIDE'] ?? ''}${path}`
}

/** Said of a call that is going to be made again, fault or not. */
export const repeatedHeader = 'chaos-repeated'

const answerWithinMs = 5_000

export async function askOutside({ run, step, key, n, isRepeated, abort }: OutsideCall): Promise<number> {
  const answer = await fetch(outsideUrl('/call'), {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'idempotency-key': key,
      'millrace-run': run,
      'millrace-step': step,
      ...(isRepeated && { [repeatedHeader]: '1' }),
    },
    body: JSON.stringify({ n }),
    signal: AbortSignal.any([abort, AbortSignal.timeout(answerWithinMs)]),
  })
  if (!answer.ok) throw new Error(`The world outside answered ${answer.status}.`)
  return ((await answer.json()) as { n: number }).n
}
