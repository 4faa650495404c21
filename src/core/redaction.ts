// Owns the redaction of secrets: what a process has read of them is replaced, in whatever leaves it, by their names.

/** Shorter values are not looked for inside of longer ones in base64: what is left of them there could be anything. */
const innerBytesMin = 8

/** The forms in which a value is found again: as it is, and as it stands in JSON, in an address, in base64. */
function formsOf(given: string): string[] {
  const json = JSON.stringify(given).slice(1, -1)
  const value = Buffer.from(given).toString()
  const forms = [
    given,
    json,
    JSON.stringify(json).slice(1, -1),
    encodeURIComponent(value),
    new URLSearchParams({ v: value }).toString().slice(2),
    ...inBase64(Buffer.from(value), 'base64'),
    ...inBase64(Buffer.from(value), 'base64url'),
  ]
  return [...new Set(forms)]
}

/** By itself, and behind and before something else, as the password in `name:password`: the characters that are its own alone. */
function inBase64(bytes: Buffer, encoding: 'base64' | 'base64url'): string[] {
  const inner = [0, 1, 2].map((before) => {
    const bits = (before + bytes.length) * 8
    return Buffer.concat([Buffer.alloc(before), bytes])
      .toString(encoding)
      .slice(Math.ceil((before * 8) / 6), Math.floor(bits / 6))
  })
  return [bytes.toString(encoding), ...(bytes.length < innerBytesMin ? [] : inner)]
}

const valuesKept = 10_000

export class Redactor {
  /** Each form with what stands for it, the longest first: one may be part of another. */
  #forms: ReadonlyArray<readonly [form: string, stands: string]> = []
  readonly #values = new Map<string, string>()

  /** Whether nothing was read, so that nothing need be looked for. */
  get isEmpty(): boolean {
    return this.#forms.length === 0
  }

  /** From now on this value is replaced. */
  add(name: string, value: string): void {
    if (this.#values.get(value) === name) return
    this.#values.set(value, name)
    const [oldest] = this.#values.keys()
    if (this.#values.size > valuesKept && oldest !== undefined) this.#values.delete(oldest)
    const forms = [...this.#values].flatMap(([known, of]) =>
      formsOf(known).map((form) => [form, `[secret ${of}]`] as const),
    )
    this.#forms = forms.sort(([left], [right]) => right.length - left.length)
  }

  /** A plain text without the values. */
  redact(text: string): string {
    let redacted = text
    for (const [form, stands] of this.#forms)
      if (redacted.includes(form)) redacted = redacted.replaceAll(form, () => stands)
    return redacted
  }

  /** JSON text, without the values, in names as well. It stays JSON: a value may be a number, or hold what JSON is made of. */
  redactJson(text: string): string {
    if (this.isEmpty) return text
    // What JSON in JSON holds is escaped twice: only the strings themselves say what they hold.
    if (!text.includes('\\') && this.redact(text) === text) return text
    const redacted = JSON.stringify(this.#without(JSON.parse(text)))
    return redacted === JSON.stringify(JSON.parse(text)) ? text : redacted
  }

  /** A value of JSON, without the values, names included. */
  redactValue<T>(value: T): T {
    if (this.isEmpty || value === undefined) return value
    const text = JSON.stringify(value)
    if (text === undefined) return value
    const redacted = this.redactJson(text)
    return redacted === text ? value : (JSON.parse(redacted) as T)
  }

  #without(value: unknown): unknown {
    if (typeof value === 'string') return this.redact(value)
    if (typeof value === 'number') {
      const name = this.#values.get(String(value))
      return name === undefined ? value : `[secret ${name}]`
    }
    if (Array.isArray(value)) return value.map((one) => this.#without(one))
    if (typeof value !== 'object' || value === null) return value
    return Object.fromEntries(
      Object.entries(value).map(([name, one]) => [this.redact(name), this.#without(one)]),
    )
  }
}
