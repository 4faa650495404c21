// A program that runs the test server of one PostgreSQL version: prints its address, stops it when its input ends.
// usage: node --import tsx test/programs/matrix-server.ts <folder with bin, lib and share>
import { startTestServer } from '../test-server.ts'

const server = await startTestServer({ binaries: process.argv[2] ?? '' })
console.log(server.url)

process.stdin.resume()
process.stdin.on('end', () => void server.stop())
