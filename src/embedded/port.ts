// The port on the loopback address: the one that is wanted, or any that is free.
import net from 'node:net'
import { MillraceError } from '../core/errors.ts'

/** The preferred port if it can be listened to, else one that the system gives. Throws `embedded_start_failed`. */
export async function choosePort(preferred: number | undefined): Promise<number> {
  if (preferred === undefined) return tryPort(0).catch(refuse)
  return tryPort(preferred).catch(() => choosePort(undefined))
}

/** Rejects with the system's error. */
function tryPort(port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = net.createServer()
    probe.on('error', reject)
    probe.listen({ port, host: '127.0.0.1', exclusive: true }, () => {
      const { port: given } = probe.address() as net.AddressInfo
      probe.close(() => resolve(given))
    })
  })
}

/** No other port would do: it is not for want of a free one. */
function refuse(cause: Error): never {
  throw new MillraceError(
    'embedded_start_failed',
    `The embedded PostgreSQL can't listen on 127.0.0.1: ${cause.message}.`,
    {
      hint: 'Let this process listen on the loopback address, or use a PostgreSQL that runs already.',
      cause,
    },
  )
}
