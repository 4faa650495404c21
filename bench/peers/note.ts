// What stands behind the values of a peer in a row.

export interface Noted {
  readonly note?: string
  readonly samples?: readonly number[]
}

/** What the last turn says, what the samples of all turns say together, of one turn they are too few for a tail, and why no more turns came after it. */
export function noteOf(
  turns: readonly Noted[],
  ofSamples: ((samples: readonly number[]) => string) | undefined,
  ended?: string,
): string | undefined {
  const samples = turns.flatMap(({ samples: some = [] }) => some)
  const notes = [turns.at(-1)?.note, samples.length === 0 ? undefined : ofSamples?.(samples), ended]
  const said = notes.filter((note) => note !== undefined)
  return said.length === 0 ? undefined : said.join(', ')
}
