// One process with one peer in it, which does what its parent tells it: the program behind agent-process.ts.
import { type Work, workOf } from './agent-work.ts'
import type { AgentOptions } from './agent-process.ts'
import { loadPeer } from './peers.ts'

const { peer: peerName, ...options } = JSON.parse(process.env['BENCH_AGENT'] ?? '{}') as AgentOptions
const peer = await loadPeer(peerName)
const opened = await peer.open(options)
const work = workOf(opened)

process.on('message', ({ id, name, args }: { id: number; name: keyof Work; args: never }) => {
  const answer = async () => work[name](args)
  answer().then(
    (result) => process.send?.({ id, result: result ?? null }),
    (error: unknown) => process.send?.({ id, error: error instanceof Error ? error.stack : String(error) }),
  )
})
// Its parent died, and the stores with it: nothing is left to be put in order.
process.once('disconnect', () => process.exit(1))
process.send?.({ ready: true })
