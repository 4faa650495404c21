// Which port the server gets: the one it had, another one where somebody is there, and none where nothing can be listened to.
import { once } from 'node:events'
import net from 'node:net'
import { afterEach, expect, it, vi } from 'vitest'
import { choosePort } from './port.ts'

afterEach(() => vi.restoreAllMocks())

it('is the preferred one, unless somebody listens there', async () => {
  const port = await choosePort(undefined)
  expect(await choosePort(port)).toBe(port)
  const somebody = net.createServer().listen(port, '127.0.0.1')
  await once(somebody, 'listening')
  expect(await choosePort(port)).not.toBe(port)
  somebody.close()
})

it('is refused at once where the system lets nobody listen', async () => {
  let asked = 0
  vi.spyOn(net.Server.prototype, 'listen').mockImplementation(function (this: net.Server) {
    // So that one that never ends is an end of this test.
    if (++asked > 2) throw new Error('asked for ever')
    const error = new Error('listen EPERM: operation not permitted 127.0.0.1')
    setImmediate(() => this.emit('error', error))
    return this
  })
  await expect(choosePort(54_321)).rejects.toMatchObject({
    code: 'embedded_start_failed',
    message: expect.stringContaining('EPERM') as string,
  })
  expect(asked).toBe(2)
})
