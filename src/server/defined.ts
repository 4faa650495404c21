// Owns what a body says, without what it leaves out: so that it can be handed on where an option is either given or not there.

type Defined<Parts> = {
  [Name in keyof Parts as undefined extends Parts[Name] ? never : Name]: Parts[Name]
} & {
  [Name in keyof Parts as undefined extends Parts[Name] ? Name : never]?: Exclude<Parts[Name], undefined>
}

export function defined<Parts extends object>(parts: Parts): Defined<Parts> {
  return Object.fromEntries(
    Object.entries(parts).filter(([, value]) => value !== undefined),
  ) as Defined<Parts>
}
