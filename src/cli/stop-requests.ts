// Owns how a person stops a process: the first request asks it to end well, the second to end now.
import { onStopSignal } from './stop-signals.ts'

export interface StopRequests {
  readonly first: Promise<void>
  readonly second: Promise<void>
  close(): void
}

/** Hears them from now on. */
export function stopRequests(): StopRequests {
  const resolvers: (() => void)[] = []
  const nextRequest = (): Promise<void> => new Promise((resolve) => resolvers.push(resolve))
  const [first, second] = [nextRequest(), nextRequest()]
  const close = onStopSignal(process, () => resolvers.shift()?.())
  return { first, second, close }
}
