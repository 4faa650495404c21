// Owns the word that payloads were left out: who sees nulls should know that there is something behind them.
import type { HttpClient } from '../../client/http-client.ts'

const words = 'What went into runs and came out is shown as null: your key does not see payloads.'

/** The same client, which says so once. */
export function tellingHidden(client: HttpClient, note: (words: string) => void): HttpClient {
  let isTold = false
  const look = (answer: unknown): unknown => {
    if (!isTold && isHidden(answer)) {
      isTold = true
      note(words)
    }
    return answer
  }
  const verbs = Object.entries(client).map(([name, verb]) => {
    const act = verb as (call?: unknown) => unknown
    const telling = (call?: unknown): unknown => {
      const answer = act(call)
      return answer instanceof Promise ? answer.then(look) : answer
    }
    return [name, telling]
  })
  return Object.fromEntries(verbs) as HttpClient
}

function isHidden(answer: unknown): boolean {
  if (typeof answer !== 'object' || answer === null) return false
  const { payloads_hidden, items } = answer as { payloads_hidden?: unknown; items?: unknown }
  return payloads_hidden === true || (Array.isArray(items) && items.some(isHidden))
}
