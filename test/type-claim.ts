// Owns the two types with which the type tests claim that two types are the same.

export type Equal<Left, Right> =
  (<T>() => T extends Left ? 1 : 2) extends <T>() => T extends Right ? 1 : 2 ? true : false

export type Expect<Claim extends true> = Claim
