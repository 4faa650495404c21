// Owns the question whether a password is known from a leak, asked so that nobody learns the password: five characters of its SHA-1 leave the house.
import { createHash } from 'node:crypto'
import { safeFetch } from '../../net/safe-fetch.ts'
import type { ServerLog } from '../server-log.ts'

/** Whether a password is known from a leak. False where nobody answers in time: a service outside never keeps anybody out. */
export type BreachCheck = (password: string) => Promise<boolean>

/** The range service of Have I Been Pwned (haveibeenpwned.com/API/v3, "Searching by range"). */
const publicService = 'https://api.pwnedpasswords.com'
const timeoutMs = 1_500
const bytesMax = 500_000

/** @param service its address, where it is another one than the public service: a mirror of your own */
export function createBreachCheck(log: ServerLog, service: string = publicService): BreachCheck {
  const allow = service === publicService ? [] : [new URL(service).origin]
  return async (password) => {
    const digest = createHash('sha1').update(password, 'utf8').digest('hex').toUpperCase()
    try {
      const { status, body } = await safeFetch(`${service}/range/${digest.slice(0, 5)}`, {
        headers: { 'add-padding': 'true', 'user-agent': 'millrace' },
        timeoutMs,
        maxBytes: bytesMax,
        allow,
      })
      if (status === 200) return holds(new TextDecoder().decode(body), digest.slice(5))
      log({ level: 'warn', event: 'breach_check.unanswered', status })
    } catch (error) {
      log({
        level: 'warn',
        event: 'breach_check.unanswered',
        error: error instanceof Error ? error.message : '',
      })
    }
    return false
  }
}

/** Lines of SUFFIX:COUNT, of which those with a count of 0 are padding. */
function holds(answer: string, suffix: string): boolean {
  return answer.split('\n').some((line) => {
    const [found, count] = line.replace('\uFEFF', '').trim().toUpperCase().split(':')
    return found === suffix && Number(count) > 0
  })
}
