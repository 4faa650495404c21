// The look among leaked passwords, against a double of the range service: what it is told, and what it may answer.
import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import type { ServerLogEntry } from '../server-log.ts'
import { createBreachCheck } from './breach.ts'
import { checkNewPassword } from './password.ts'

const leaked = 'correct horse battery staple'
const digest = createHash('sha1').update(leaked).digest('hex').toUpperCase()
const line = (count: number) => `${digest.slice(5)}:${count}`

async function service(answer: (request: IncomingMessage, response: ServerResponse) => void) {
  const asked: IncomingMessage[] = []
  const log: ServerLogEntry[] = []
  const server = createServer((request, response) => {
    asked.push(request)
    answer(request, response)
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return { asked, log, check: createBreachCheck((entry) => log.push(entry), url) }
}

test('RR-11 K8 a leaked password is refused by five characters of its hash, whatever the answer is written like', async () => {
  const padding = Array.from({ length: 900 }, (_, n) => `${String(n).padStart(35, '0')}:0`)
  const answers = [
    line(3),
    [...padding, line(1)].join('\r\n'),
    `\uFEFF${line(52_579)}\r\n`,
    [...padding, line(2).toLowerCase()].join('\n'),
  ]
  for (const answer of answers) {
    const { asked, check, log } = await service((_request, response) => response.end(answer))
    await expect(checkNewPassword(leaked, check)).rejects.toMatchObject({
      code: 'password_refused',
      fields: { reason: 'breached' },
    })
    expect(asked.map(({ url }) => url)).toEqual([`/range/${digest.slice(0, 5)}`])
    expect(asked[0]!.headers['add-padding']).toBe('true')
    expect(JSON.stringify([asked[0]!.rawHeaders, log])).not.toContain(digest.slice(5, 12))
  }
})

test('K8 a count of 0 is padding, and an answer about others is none about this one', async () => {
  for (const answer of [line(0), `${'A'.repeat(35)}:9`, '', 'no lines of a range']) {
    const { check, log } = await service((_request, response) => response.end(answer))
    await checkNewPassword(leaked, check)
    expect(log).toEqual([])
  }
})

test('K8 a service that is slow, busy, broken or gone keeps nobody out, and is on record', async () => {
  const answers: Array<(request: IncomingMessage, response: ServerResponse) => void> = [
    () => {},
    (_request, response) => response.writeHead(429).end(),
    (_request, response) => response.writeHead(503).end(line(9)),
    (request) => request.socket.destroy(),
    (_request, response) => response.end('A'.repeat(600_000)),
    (_request, response) => response.writeHead(302, { location: 'https://example.org' }).end(),
  ]
  const begun = performance.now()
  for (const answer of answers) {
    const { check, log } = await service(answer)
    await checkNewPassword(leaked, check)
    expect(log).toMatchObject([{ level: 'warn', event: 'breach_check.unanswered' }])
    expect(JSON.stringify(log)).not.toContain(digest.slice(5, 12))
  }
  expect(performance.now() - begun).toBeLessThan(5_000)
})
