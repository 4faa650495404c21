// A program that uses the embedded server of a folder: prints what it got, lets go when its input ends.
// usage: node --import tsx test/programs/embedded-user.ts <.millrace folder>
import { startEmbeddedPostgres } from '../../src/embedded/server.ts'

const server = await startEmbeddedPostgres({ directory: process.argv[2] ?? '.millrace' })
console.log(JSON.stringify({ url: server.url, adopted: server.adopted }))

process.stdin.resume()
process.stdin.on('end', () => void server.release())
