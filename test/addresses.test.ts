// Addresses in the source: what a program talks to comes from configuration, so that none of anybody's inside stands here.
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { readHouse, sourcePaths } from './tidy/house.ts'
import { readSource } from './tidy/source.ts'

/** What may stand there, and why. */
const known: ReadonlyArray<readonly [RegExp, string]> = [
  [/^(?:https?:\/\/)?(?:127\.0\.0\.[01]|localhost)(?::5432)?$/, 'this machine'],
  [/(?:^|[./])example\.(?:org|com|net)$/, 'a name of examples, RFC 2606'],
  [/^https?:\/\/hooks\.internal:8080$/, 'the example of a setting'],
  [/^10\.0\.0\.0$/, 'the example of a network'],
  [/^168\.63\.129\.16$/, 'refused: what machines of a cloud ask for their secrets'],
  [
    /^https:\/\/api\.pwnedpasswords\.com$/,
    'the public service of leaked passwords, which server.people.breachCheck replaces',
  ],
  [/^http:\/\/millrace\.local$/, 'the name of a request that never leaves its process'],
]

const addresses =
  /\b\d{1,3}(?:\.\d{1,3}){3}\b|https?:\/\/[a-z0-9.-]+(?::\d{1,5})?|\b[a-z0-9-]+(?:\.[a-z0-9-]+)+:\d{2,5}\b|\blocalhost(?::\d{1,5})?\b/gi

function strangers(text: string): string[] {
  const found = [...text.matchAll(addresses)].map(([one]) => one.replace(/\.$/, ''))
  return found.filter((one) => !known.some(([pattern]) => pattern.test(one)))
}

test('PP-S15 no address, host or port of anybody stands in the source', () => {
  const house = readHouse(fileURLToPath(new URL('..', import.meta.url)))
  const paths = sourcePaths(house).filter((path) => !/\.test(?:-d)?\.ts$/.test(path))
  const found = paths.flatMap((path) =>
    readSource(house, path).literals.flatMap(({ text, line }) =>
      strangers(text).map((one) => `${path}:${line}: ${one}`),
    ),
  )
  expect(found).toEqual([])
})

test.each([
  '10.1.2.3',
  'http://192.168.0.7:8080',
  'db.corp.net:5432',
  'https://api.someone.io/v1',
  'localhost:9000',
])('%s would be found', (text) => expect(strangers(`asks ${text} for it`)).toHaveLength(1))
