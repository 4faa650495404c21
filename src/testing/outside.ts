// The world outside as a test engine knows it: what callbacks and pings send there is noted, and the test answers it.
import type { SafeAnswer, SafeFetchOptions } from '../net/safe-fetch.ts'
import { checkTarget } from '../net/target.ts'

/** What a callback or a ping has sent. */
export interface SentRequest {
  readonly url: string
  readonly method: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** What answers in the place of an address. */
export type AnswerOutside = (url: string, request: Omit<SentRequest, 'url'>) => Response | Promise<Response>

export class Outside {
  readonly sent: SentRequest[] = []
  readonly #answer: AnswerOutside

  constructor(answer: AnswerOutside = () => new Response(null, { status: 204 })) {
    this.#answer = answer
  }

  /** As safeFetch does; an address that may not be called is refused here as well. @throws MillraceError target_refused */
  async send(given: string | URL, options: SafeFetchOptions): Promise<SafeAnswer> {
    const { href: url } = checkTarget(given, options.allow)
    const { method = 'GET', headers = {}, body = '' } = options
    const request = { method, headers, body: typeof body === 'string' ? body : Buffer.from(body).toString() }
    this.sent.push({ url, ...request })
    const answer = await this.#answer(url, request)
    // The status alone counts.
    await answer.body?.cancel()
    return { status: answer.status, headers: Object.fromEntries(answer.headers), body: new Uint8Array() }
  }
}
