// The `sql` tag of handlers: a query with each value as a parameter.
import type { Caller } from './call.ts'

/** A tagged template that runs its text with its values as parameters and gives the rows. */
export function taggedSql(caller: Caller) {
  return <Row = Record<string, unknown>>(
    text: TemplateStringsArray,
    ...values: readonly unknown[]
  ): Promise<Row[]> => {
    const query = text.reduce((query, part, index) => `${query}$${index}${part}`)
    return caller.call<Row>({ name: '', text: query }, values)
  }
}
