// Owns names that people give freely: a text of 1 to 200 characters that PostgreSQL can store.

/** The beginning of a text, without what PostgreSQL can't store. */
export function storableText(text: string, charactersMax: number): string {
  return text.slice(0, charactersMax).replaceAll(/[\0\p{Surrogate}]/gu, '')
}

export function isShortText(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && value.length <= 200 && !/[\0\p{Surrogate}]/u.test(value)
}
