// Owns how steps of the load call the world outside, which keeps the idempotency key of each call.

export interface OutsideCall {
  readonly run: string
  readonly step: string
  readonly attempt: number
  readonly key: string
  /** What it answers with. */
  readonly n: number
  readonly abort: AbortSignal
}

/** As this process reaches it: a worker in a network of its own knows it by another address. */
export function outsideUrl(path: string): string {
  return `${process.env['MILLRACE_CHAOS_OUTSIDE'] ?? ''}${path}`
}

const answerWithinMs = 5_000

export async function askOutside({ run, step, attempt, key, n, abort }: OutsideCall): Promise<number> {
  const answer = await fetch(outsideUrl('/call'), {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'idempotency-key': key,
      'millrace-run': run,
      'millrace-step': step,
      'millrace-attempt': String(attempt),
    },
    body: JSON.stringify({ n }),
    signal: AbortSignal.any([abort, AbortSignal.timeout(answerWithinMs)]),
  })
  if (!answer.ok) throw new Error(`The world outside answered ${answer.status}.`)
  return ((await answer.json()) as { n: number }).n
}
