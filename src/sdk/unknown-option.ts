// Owns what is said of an option that nobody knows: the compiler says it too, but where TypeScript runs unchecked, a slip of the pen would mean the default.

/** The names of all options of a kind: one that is missing here, or gone from there, does not compile. */
export function optionNames<Options>(names: Readonly<Record<keyof Options, true>>): readonly string[] {
  return Object.keys(names)
}

/** The first option that is none of these, as the end of a sentence: "an option 'filters': it knows map, filter". */
export function unknownOption(options: object, known: readonly string[]): string | undefined {
  const unknown = Object.keys(options).find((name) => !known.includes(name))
  return unknown === undefined
    ? undefined
    : `an option '${unknown.slice(0, 100)}': it knows ${known.join(', ')}`
}
