// A server on a disk of a size of its own, which nobody but this process and the server sees: filled and freed by a line on standard input.
// usage: unshare --mount node --import tsx test/programs/small-disk-server.ts 200
import { writeSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { Disk } from '../chaos/disk.ts'
import { startOwnServer } from '../faults/own-server.ts'

const disk = Disk.mount(Number(process.argv[2]))
if (disk === undefined)
  throw new Error('MILLRACE_CHAOS_MOUNTS=1 says that mounts of this process are its own')
const server = await startOwnServer({ min_wal_size: '32MB', max_wal_size: '64MB' }, disk.folder)
const tell = (line: Record<string, unknown>) => writeSync(1, `${JSON.stringify(line)}\n`)
tell({ done: 'start', url: server.url })

for await (const order of createInterface({ input: process.stdin })) {
  if (order === 'fill') disk.fill()
  if (order === 'free') {
    disk.free()
    // Without room for its log it ended itself; where it lives on, this changes nothing.
    await server.start()
  }
  tell({ done: order })
}
await server.close()
disk.unmount()
