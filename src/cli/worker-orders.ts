// Owns how a worker process is told to stop: by signals, by the `millrace dev` that started it, or by an output that nobody reads any more; and what it tells
// that `dev`.
import { onLostOutput } from './lost-output.ts'
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
  const unheed = listen(process, order)
  // No order that counts: Ctrl-C ends whoever reads (| tee) as well, and is one order then too.
  const unwatch = onLostOutput(() => {
    resolveOrdered()
    if (given === 0) acts?.drain()
  })
  return {
    ordered,
    obey: (wanted) => {
      acts = wanted
    },
    close: () => {
      unheed()
      unwatch()
    },
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
