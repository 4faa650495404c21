// The schemes against what their documentation and their own libraries say, and against everything that must not pass.
import { readFileSync } from 'node:fs'
import { sign, verify } from '@octokit/webhooks-methods'
import { Webhook as StandardWebhook } from 'standardwebhooks'
import { expect, test } from 'vitest'
import {
  contentDigest,
  type HmacScheme,
  newSecret,
  type Presented,
  proofFault,
  schemes,
  secretFault,
  signatureOf,
} from './webhook-scheme.ts'

const standardSecret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'
const standardMs = 1_614_265_330_000
const standardHeaders = {
  'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
  'webhook-timestamp': '1614265330',
  'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
}
const standardBody = '{"test": 2432232314}'

function presented(headers: Record<string, string>, body: string | Uint8Array): Presented {
  return { headers: new Headers(headers), body: typeof body === 'string' ? Buffer.from(body) : body }
}

function fault(
  scheme: (typeof schemes)[keyof typeof schemes],
  given: Presented,
  { secrets = [standardSecret], nowMs = standardMs }: { secrets?: string[]; nowMs?: number } = {},
) {
  return proofFault(scheme, given, { secrets, nowMs, toleranceMs: 300_000 })
}

/** The vector of the specification, with what differs. */
function standard(
  headers: Record<string, string> = {},
  body: string | Uint8Array = standardBody,
  options = {},
) {
  return fault(schemes.standard, presented({ ...standardHeaders, ...headers }, body), options)
}

test('H8 the vectors of Standard Webhooks, GitHub and Slack pass', () => {
  expect(standard()).toBeUndefined()
  const github = presented(
    {
      'x-hub-signature-256': 'sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17',
    },
    'Hello, World!',
  )
  expect(fault(schemes.github, github, { secrets: ["It's a Secret to Everybody"] })).toBeUndefined()
  const slack = presented(
    {
      'x-slack-request-timestamp': '1531420618',
      'x-slack-signature': 'v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503',
    },
    'token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c',
  )
  const options = { secrets: ['8f742231b10e8888abcd99yyyzzz85a5'], nowMs: 1_531_420_618_000 }
  expect(fault(schemes.slack, slack, options)).toBeUndefined()
})

test('H8 what the libraries of the providers sign passes, and they take what is signed here', async () => {
  for (let n = 0; n < 30; n++) {
    const body = JSON.stringify({ n, text: 'ü€😀'.repeat(n) })
    const secret = newSecret(schemes.standard, Buffer.alloc(32, n + 1))
    const [id, date] = [`msg_${n}`, new Date(standardMs + n * 1_000)]
    const library = new StandardWebhook(secret)
    const headers = {
      'webhook-id': id,
      'webhook-timestamp': String(date.getTime() / 1_000),
      'webhook-signature': library.sign(id, date, body),
    }
    expect(fault(schemes.standard, presented(headers, body), { secrets: [secret] })).toBeUndefined()
    expect(`v1,${signatureOf(schemes.standard, presented(headers, body), secret)}`).toBe(
      headers['webhook-signature'],
    )
    const githubSecret = newSecret(schemes.github, Buffer.alloc(32, n))
    const signed = await sign(githubSecret, body)
    expect(
      fault(schemes.github, presented({ 'x-hub-signature-256': signed }, body), { secrets: [githubSecret] }),
    ).toBeUndefined()
    const own = `sha256=${signatureOf(schemes.github, presented({}, body), githubSecret)}`
    expect(await verify(githubSecret, body, own)).toBe(true)
  }
})

test('H8 Stripe and Shopify: signed as documented, any of several signatures passes', () => {
  const body = '{"id":"evt_1"}'
  const secrets = ['whsec_old-and-gone', 'whsec_stripe-takes-it-as-text']
  const timestamp = String(standardMs / 1_000)
  const signed = signatureOf(
    schemes.stripe,
    presented({ 'stripe-signature': `t=${timestamp}` }, body),
    secrets[1]!,
  )
  const good = { 'stripe-signature': `t=${timestamp},v1=${'0'.repeat(64)},v1=${signed},v0=${signed}` }
  expect(fault(schemes.stripe, presented(good, body), { secrets })).toBeUndefined()
  const onlyOld = { 'stripe-signature': `t=${timestamp},v0=${signed}` }
  expect(fault(schemes.stripe, presented(onlyOld, body), { secrets })).toBe('signature_version')
  const shopify = {
    'x-shopify-hmac-sha256': signatureOf(schemes.shopify, presented({}, body), secrets[0]!),
  }
  expect(fault(schemes.shopify, presented(shopify, body), { secrets })).toBeUndefined()
})

const good = standardHeaders['webhook-signature']
const otherSecret = newSecret(schemes.standard, Buffer.alloc(32, 9))
const signedFor = (headers: Record<string, string>, scheme: HmacScheme = schemes.standard) =>
  `v1,${signatureOf(scheme, presented({ ...standardHeaders, ...headers }, standardBody), standardSecret)}`

test.each<[string, () => string | undefined, string]>([
  ['a missing signature', () => standard({ 'webhook-signature': '' }), 'signature_missing'],
  ['a missing id', () => standard({ 'webhook-id': '' }), 'id_missing'],
  ['one that is 301 s late', () => standard({}, standardBody, { nowMs: standardMs + 301_000 }), 'too_late'],
  ['one that is 301 s early', () => standard({}, standardBody, { nowMs: standardMs - 301_000 }), 'too_early'],
  ['a truncated signature', () => standard({ 'webhook-signature': good.slice(0, -4) }), 'signature_wrong'],
  ['a truncated body', () => standard({}, standardBody.slice(0, -1)), 'signature_wrong'],
  [
    'JSON that was written anew',
    () => standard({}, JSON.stringify(JSON.parse(standardBody))),
    'signature_wrong',
  ],
  ['another charset', () => standard({}, Buffer.from(standardBody, 'utf16le')), 'signature_wrong'],
  ['a byte order mark', () => standard({}, `\u{feff}${standardBody}`), 'signature_wrong'],
  ['a body changed by one byte', () => standard({}, standardBody.replace('4', '5')), 'signature_wrong'],
  [
    'only an unknown version',
    () => standard({ 'webhook-signature': good.replace('v1', 'v2') }),
    'signature_version',
  ],
  ['no base64', () => standard({ 'webhook-signature': 'v1,***not base64***' }), 'signature_wrong'],
  [
    'base64 without its padding',
    () => standard({ 'webhook-signature': good.replace('=', '') }),
    'signature_wrong',
  ],
  ['the signature of another time', () => standard({ 'webhook-timestamp': '1614265331' }), 'signature_wrong'],
  [
    'a time that is no number',
    () =>
      standard({
        'webhook-timestamp': '1e9',
        'webhook-signature': signedFor({ 'webhook-timestamp': '1e9' }),
      }),
    'timestamp_missing',
  ],
  ['the signature of another id', () => standard({ 'webhook-id': 'msg_other' }), 'signature_wrong'],
  [
    "another endpoint's secret",
    () => standard({}, standardBody, { secrets: [otherSecret] }),
    'signature_wrong',
  ],
  [
    'the parts signed in the wrong order',
    () =>
      standard({
        'webhook-signature': signedFor({}, { ...schemes.standard, signed: '{timestamp}.{id}.{body}' }),
      }),
    'signature_wrong',
  ],
  [
    'the signature in hex',
    () => standard({ 'webhook-signature': signedFor({}, { ...schemes.standard, encoding: 'hex' }) }),
    'signature_wrong',
  ],
])('H8 %s is refused', (_, given, reason) => {
  expect(given()).toBe(reason)
})

test('H8 exactly 300 s pass, both ways; of two signatures one good one passes', () => {
  for (const nowMs of [standardMs - 300_000, standardMs + 300_000])
    expect(standard({}, standardBody, { nowMs })).toBeUndefined()
  const other = `v1,${Buffer.alloc(32).toString('base64')}`
  expect(standard({ 'webhook-signature': `${other} v2,x ${good}` })).toBeUndefined()
  expect(standard({ 'webhook-signature': `${other} ${other}` })).toBe('signature_wrong')
})

test('H8 of GitHub, SHA256= in capitals, the digest in capitals and sha1 alone are refused', () => {
  const signature = '757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17'
  const check = (header: string) =>
    fault(schemes.github, presented({ 'x-hub-signature-256': header }, 'Hello, World!'), {
      secrets: ["It's a Secret to Everybody"],
    })
  expect(check(`SHA256=${signature}`)).toBe('signature_version')
  expect(check(`sha256=${signature.toUpperCase()}`)).toBe('signature_wrong')
  expect(check(`sha1=${signature}`)).toBe('signature_version')
  expect(check(`sha256=${signature}, sha256=${signature}`)).toBe('signature_wrong')
})

test('H8 credentials: basic and an API key pass as they are, and in no other writing', () => {
  const secrets = ['millrace:s3cret-pass', 'millrace:former-pass']
  const basic = (value: string) => fault(schemes.basic, presented({ authorization: value }, ''), { secrets })
  const encoded = Buffer.from(secrets[0]!).toString('base64')
  expect(basic(`Basic ${encoded}`)).toBeUndefined()
  expect(basic(`Basic ${Buffer.from(secrets[1]!).toString('base64')}`)).toBeUndefined()
  expect(basic(encoded)).toBe('credentials_wrong')
  expect(basic(`Bearer ${encoded}`)).toBe('credentials_wrong')
  expect(basic('')).toBe('credentials_missing')
  const key = (value: string) =>
    fault(schemes['api-key'], presented({ 'x-api-key': value }, ''), { secrets: ['abcdefgh-ijkl'] })
  expect(key('abcdefgh-ijkl')).toBeUndefined()
  expect(key('abcdefgh-ijkL')).toBe('credentials_wrong')
  expect(key('abcdefgh')).toBe('credentials_wrong')
})

test('H8 no secret can be empty, short, or not in the form of its scheme', () => {
  expect(secretFault(schemes.github, '')).toContain('less than 8')
  expect(secretFault(schemes.standard, 'whsec_')).toContain('less than 8')
  expect(secretFault(schemes.standard, 'whsec_AAAAAAAAAAAA')).toContain('less than 16 bytes')
  expect(secretFault(schemes.standard, 'whsec_***************************')).toContain('base64')
  expect(secretFault(schemes.basic, 'no-colon-in-it')).toContain('user:password')
  for (const scheme of Object.values(schemes))
    expect(secretFault(scheme, newSecret(scheme, Buffer.alloc(32, 7)))).toBeUndefined()
})

test('H8 equal requests have the same content, and another time is another one', () => {
  const one = contentDigest(schemes.standard, presented(standardHeaders, standardBody))
  expect(one).toMatch(/^[0-9a-f]{64}$/)
  expect(
    contentDigest(
      schemes.standard,
      presented({ ...standardHeaders, 'webhook-timestamp': '1' }, standardBody),
    ),
  ).not.toBe(one)
})

test('H8 what is presented is compared in one place, by timingSafeEqual, with all secrets whether one fits or not', () => {
  const source = readFileSync(new URL('webhook-scheme.ts', import.meta.url), 'utf8')
  expect(source.match(/timingSafeEqual\(/g)).toHaveLength(1)
  const comparing = source.slice(source.indexOf('function isOneEqual'))
  expect(comparing).not.toMatch(/\breturn true\b|\bbreak\b|\.some\(/)
  expect(source).not.toMatch(/(?:expected|signature\w*|given|secret) ===? (?!null|undefined|'|0)/)
})
