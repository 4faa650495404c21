// A server that takes connections and says nothing, as a database does that hangs.
import { once } from 'node:events'
import net, { type AddressInfo } from 'node:net'

export interface SilentServer {
  readonly port: number
  /** How many have connected. */
  asked(): number
  close(): void
}

export async function openSilentServer(): Promise<SilentServer> {
  const asking: net.Socket[] = []
  const server = net.createServer((socket) => void asking.push(socket))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    asked: () => asking.length,
    close: () => {
      for (const socket of asking) socket.destroy()
      server.close()
    },
  }
}
