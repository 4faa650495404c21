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
/** So many more are there before they go at once, since to forget one costs as much as to forget a thousand. */
const valuesBeyond = 1_000

/** No value has fewer, see checkValue. */
const beginChars = 4

interface Form {
  readonly text: string
  readonly stands: string
}

/** The forms that begin alike. */
interface Alike {
  readonly stands: Map<string, string>
  /** Of which lengths there are, the longest first: one form may be part of another. */
  lengths: readonly number[]
}

/** A form in a text, or several that overlap. */
interface Place extends Form {
  readonly from: number
  to: number
}

export class Redactor {
  /** By their first characters: so the cost of a text doesn't grow with what was ever read. */
  readonly #forms = new Map<string, Alike>()
  /** Whether any begins with this code unit. */
  readonly #begins = new Uint8Array(65_536)
  /** Names by values, the least lately read first. */
  readonly #values = new Map<string, string>()

  /** Whether nothing was read, so that nothing need be looked for. */
  get isEmpty(): boolean {
    return this.#values.size === 0
  }

  /** From now on this value is replaced, until 10,000 others have been read after it. */
  add(name: string, value: string): void {
    const known = this.#values.get(value)
    this.#values.delete(value)
    this.#values.set(value, name)
    if (known !== name) this.#learn(name, value)
    if (this.#values.size > valuesKept + valuesBeyond) this.#forget()
  }

  #forget(): void {
    for (const forgotten of [...this.#values.keys()].slice(0, this.#values.size - valuesKept))
      this.#values.delete(forgotten)
    this.#forms.clear()
    this.#begins.fill(0)
    for (const [value, name] of this.#values) this.#learn(name, value)
  }

  #learn(name: string, value: string): void {
    for (const text of formsOf(value)) {
      const begin = text.slice(0, beginChars)
      const alike = this.#forms.get(begin) ?? { stands: new Map<string, string>(), lengths: [] }
      alike.stands.set(text, `[secret ${name}]`)
      if (!alike.lengths.includes(text.length))
        alike.lengths = [...alike.lengths, text.length].sort((left, right) => right - left)
      this.#forms.set(begin, alike)
      this.#begins[begin.charCodeAt(0)] = 1
    }
  }

  /** A plain text without the values. */
  redact(text: string): string {
    const places = this.#placesIn(text)
    if (places.length === 0) return text
    const parts = places.map(({ from, stands }, n) => text.slice(places[n - 1]?.to ?? 0, from) + stands)
    return parts.join('') + text.slice(places.at(-1)!.to)
  }

  /** Of what overlaps nothing is left, and the longest gives it its name. */
  #placesIn(text: string): readonly Place[] {
    const places: Place[] = []
    for (let from = 0; from <= text.length - beginChars; from++) {
      if (this.#begins[text.charCodeAt(from)] === 0) continue
      const form = this.#formAt(text, from)
      if (form === undefined) continue
      const last = places.at(-1)
      const to = from + form.text.length
      if (last === undefined || from >= last.to) places.push({ ...form, from, to })
      else if (to > last.to) places[places.length - 1] = { ...longer(last, form), from: last.from, to }
    }
    return places
  }

  #formAt(text: string, from: number): Form | undefined {
    const alike = this.#forms.get(text.slice(from, from + beginChars))
    if (alike === undefined) return undefined
    for (const length of alike.lengths) {
      const found = text.slice(from, from + length)
      const stands = alike.stands.get(found)
      if (stands !== undefined) return { text: found, stands }
    }
    return undefined
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

function longer(left: Form, right: Form): Form {
  return right.text.length > left.text.length ? right : left
}
