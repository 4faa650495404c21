// The port on the loopback address: the one that is wanted, or any that is free.
import net from 'node:net'

/** The preferred port if nobody listens there, else one that the system gives. */
export async function choosePort(preferred: number | undefined): Promise<number> {
  return (await tryPort(preferred ?? 0)) ?? (await choosePort(undefined))
}

function tryPort(port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const probe = net.createServer()
    probe.on('error', () => resolve(undefined))
    probe.listen({ port, host: '127.0.0.1', exclusive: true }, () => {
      const { port: given } = probe.address() as net.AddressInfo
      probe.close(() => resolve(given))
    })
  })
}
