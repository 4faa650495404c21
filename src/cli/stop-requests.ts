// Owns how a person stops a process: the first signal asks it to end well, the second to end now.

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
  const onSignal = (): void => resolvers.shift()?.()
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal)
  return { first, second, close: () => process.off('SIGINT', onSignal).off('SIGTERM', onSignal) }
}
