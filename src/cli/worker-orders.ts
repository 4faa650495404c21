// Owns how a worker process is told to stop: by signals, or by the `millrace dev` that started it; and what it tells the latter.
import { devDatabaseVariable } from './session.ts'
import { onStopSignal } from './stop-signals.ts'

/** What a worker tells the `dev` that started it. */
export type WorkerNews =
  | { readonly kind: 'import'; readonly file: string }
  | {
      readonly kind: 'serving'
      readonly pipelines: ReadonlyArray<{ readonly slug: string; readonly example: string }>
    }

/** What `dev` tells its worker; a signal would end it at once on Windows. */
export type DevOrder = 'drain' | 'force'

export interface Orders {
  /** The first order, whatever it was. */
  readonly ordered: Promise<void>
  /** What each order does from now on: the first one means drain, the second force. */
  obey(acts: Readonly<Record<DevOrder, () => void>>): void
  close(): void
}

export function hearOrders(process: NodeJS.Process): Orders {
  let given = 0
  let acts: Readonly<Record<DevOrder, () => void>> | undefined
  let resolveOrdered = (): void => {}
  const ordered = new Promise<void>((resolve) => {
    resolveOrdered = resolve
  })
  const order = (wanted: DevOrder): void => {
    given += 1
    resolveOrdered()
    acts?.[given > 1 ? 'force' : wanted]()
  }
  const close = listen(process, order)
  return {
    ordered,
    obey: (wanted) => {
      acts = wanted
    },
    close,
  }
}

function listen(process: NodeJS.Process, order: (wanted: DevOrder) => void): () => void {
  // A channel alone says nothing: process managers open one as well, and stop what they started by signals.
  const isOfDev = process.send !== undefined && process.env[devDatabaseVariable] !== undefined
  const unheed = onStopSignal(process, () => {
    // A terminal signals the whole group: dev hears it as well, and gives the order.
    if (!isOfDev) order('drain')
  })
  const onMessage = (wanted: unknown): void => {
    if (wanted === 'drain' || wanted === 'force') order(wanted)
  }
  const onDisconnect = (): void => order('drain')
  if (isOfDev) process.on('message', onMessage).on('disconnect', onDisconnect)
  return () => {
    unheed()
    process.off('message', onMessage).off('disconnect', onDisconnect)
    if (process.connected) process.disconnect()
  }
}

export function tellDev(process: NodeJS.Process, news: WorkerNews): void {
  if (process.connected) process.send?.(news)
}
