// Owns a delivery as the functions of a webhook see it: what was sent, and who says so.
import { parseJsonText } from '../core/json.ts'

/** One request to a webhook, whose sender is proved. */
export interface Delivery {
  readonly id: string
  readonly webhook: string
  /** By what its sender calls it; null where it has no id. */
  readonly providerId: string | null
  readonly receivedAt: Date
  /** Names in small letters. What holds a credential or a signature is masked. */
  readonly headers: Readonly<Record<string, string>>
  readonly contentType: string | null
  /** As it came, byte by byte. */
  readonly body: Uint8Array
  readonly text: string
  /** @throws MillraceError json_invalid, where the body is no JSON, or holds integers beyond 2^53 */
  readonly json: unknown
  /** The fields of a form. */
  readonly form: URLSearchParams
  /** Whether it is a stored one that is judged once more. */
  readonly isReplay: boolean
}

export interface DeliveryParts extends Omit<Delivery, 'text' | 'json' | 'form'> {}

/** Reads the body when it is asked for it, and once. */
export class ReceivedDelivery implements Delivery {
  readonly id: string
  readonly webhook: string
  readonly providerId: string | null
  readonly receivedAt: Date
  readonly headers: Readonly<Record<string, string>>
  readonly contentType: string | null
  readonly body: Uint8Array
  readonly isReplay: boolean
  #text: string | undefined
  #json: { readonly value: unknown } | undefined

  constructor(parts: DeliveryParts) {
    this.id = parts.id
    this.webhook = parts.webhook
    this.providerId = parts.providerId
    this.receivedAt = parts.receivedAt
    this.headers = parts.headers
    this.contentType = parts.contentType
    this.body = parts.body
    this.isReplay = parts.isReplay
  }

  get text(): string {
    this.#text ??= Buffer.from(this.body.buffer, this.body.byteOffset, this.body.byteLength).toString('utf8')
    return this.#text
  }

  get json(): unknown {
    this.#json ??= {
      value: parseJsonText(this.text, { what: 'The body', maxBytes: Math.max(this.body.byteLength, 1) * 3 }),
    }
    return this.#json.value
  }

  get form(): URLSearchParams {
    return new URLSearchParams(this.text)
  }
}
