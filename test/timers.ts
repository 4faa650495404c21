// Which timers are under way, and where each was set.
type SetTimer = typeof globalThis.setTimeout | typeof globalThis.setInterval

export interface TimerWatch {
  /** Where each one that keeps the process alive was set. */
  open(): string[]
  stop(): void
}

/** So many are remembered before those that are over are forgotten. */
const rememberedMax = 1_000

/** From now on, until it is stopped; what is set by timers/promises is not seen. */
export function openTimers(): TimerWatch {
  const set = new Map<NodeJS.Timeout, Error>()
  const { setTimeout, setInterval } = globalThis
  const watched = <Kind extends SetTimer>(original: Kind): Kind =>
    Object.assign((...args: Parameters<Kind>) => {
      const timer = Reflect.apply(original, globalThis, args) as NodeJS.Timeout
      if (set.size >= rememberedMax) for (const one of set.keys()) if (isOver(one)) set.delete(one)
      set.set(timer, new Error('set here'))
      return timer
    }, original) as unknown as Kind
  globalThis.setTimeout = watched(setTimeout)
  globalThis.setInterval = watched(setInterval)
  return {
    open: () =>
      [...set].filter(([timer]) => !isOver(timer) && timer.hasRef()).map(([, error]) => placeOf(error)),
    stop: () => Object.assign(globalThis, { setTimeout, setInterval }),
  }
}

function isOver(timer: NodeJS.Timeout): boolean {
  return Reflect.get(timer, '_destroyed') === true
}

/** The first lines of the project itself. */
function placeOf({ stack = '' }: Error): string {
  const lines = stack.split('\n').slice(2)
  const own = lines.filter((line) => !line.includes('node_modules') && !line.includes('node:'))
  return (own.length > 0 ? own : lines)
    .slice(0, 2)
    .map((line) => line.trim())
    .join(' ')
}
