// Owns how a person stops a process: the first request asks it to end well, the second to end now. Where nobody reads its output any more it ends well too.
import { onLostOutput } from './lost-output.ts'
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
  const [end] = resolvers
  const unheed = onStopSignal(process, () => resolvers.shift()?.())
  // No request that counts: Ctrl-C ends whoever reads (| tee) as well, and is one request then too.
  const unwatch = onLostOutput(() => end?.())
  const close = (): void => {
    unheed()
    unwatch()
  }
  return { first, second, close }
}
