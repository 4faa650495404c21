// What stands behind the values of a peer in a row.

export interface Noted {
  readonly note?: string
  readonly samples?: readonly number[]
}

/** What the last turn says, and what the samples of all turns say together: of one turn they are too few for a tail. */
export function noteOf(
  turns: readonly Noted[],
  ofSamples: ((samples: readonly number[]) => string) | undefined,
): string | undefined {
  const samples = turns.flatMap(({ samples: some = [] }) => some)
  const notes = [turns.at(-1)?.note, samples.length === 0 ? undefined : ofSamples?.(samples)]
  const said = notes.filter((note) => note !== undefined)
  return said.length === 0 ? undefined : said.join(', ')
}
