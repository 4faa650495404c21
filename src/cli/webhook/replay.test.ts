// Replays over HTTP: as many as were asked for, or none.
import { expect, test } from 'vitest'
import { openFolder } from '../../../test/commands.ts'
import { servedApiOn } from '../../../test/http.ts'
import { openMillrace } from '../../../test/millrace.ts'

const { database } = await openMillrace()
const serveApi = servedApiOn(database)

test('more than a server replays at a time are refused, not cut', async () => {
  const { url } = await serveApi({ ann: { role: 'admin' } })
  const remote = openFolder({ MILLRACE_URL: url, MILLRACE_KEY: 'ann' })
  try {
    expect(await remote.call('webhook', 'replay', '--all', '--dry-run', '--limit', '1001')).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('A server replays 1000 deliveries at a time at most.'),
    })
    expect(await remote.call('webhook', 'replay', '--all', '--dry-run', '--limit', '1000')).toMatchObject({
      status: 0,
      stdout: '0 deliveries would be replayed.\n',
    })
  } finally {
    remote.close()
  }
})
