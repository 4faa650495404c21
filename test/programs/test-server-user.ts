// A program that joins the embedded server of test processes, as the first engine of one does, and ends: prints what it got.
// usage: node --import tsx test/programs/test-server-user.ts
import { joinEmbeddedServer } from '../../src/testing/embedded-server.ts'

console.log(await joinEmbeddedServer())
