// Owns which signals to stop count as one: npm and timeout pass a signal on to a process whose whole group has had it already.

/** Nobody asks again so soon, and a signal that is passed on comes sooner, on a busy machine too. */
const togetherMs = 500

interface StopSignalOptions {
  readonly signals?: readonly NodeJS.Signals[]
  readonly now?: () => number
}

/** Calls for each request to stop, until the answered function is called. */
export function onStopSignal(
  process: Pick<NodeJS.Process, 'on' | 'off'>,
  asked: (signal: NodeJS.Signals) => void,
  { signals = ['SIGINT', 'SIGTERM'], now = () => performance.now() }: StopSignalOptions = {},
): () => void {
  let askedAt = -Infinity
  const heard = (signal: NodeJS.Signals): void => {
    if (now() - askedAt < togetherMs) return
    askedAt = now()
    asked(signal)
  }
  for (const signal of signals) process.on(signal, heard)
  return () => {
    for (const signal of signals) process.off(signal, heard)
  }
}
