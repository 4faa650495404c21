// Owns names that people give freely: a text of 1 to 200 characters that PostgreSQL can store.

export function isShortText(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && value.length <= 200 && !/[\0\p{Surrogate}]/u.test(value)
}
