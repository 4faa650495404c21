// Owns how an end of the chain is written on the command line: its position and its hash, with a colon between.
import { InvalidArgumentError } from 'commander'
import type { ChainEnd } from '../../sdk/audit-trail.ts'

export function chainEnd(text: string): ChainEnd {
  const [, position, hash] = /^(\d{1,12}):([0-9a-f]{64})$/.exec(text) ?? []
  if (position !== undefined && hash !== undefined) return { position: Number(position), hash }
  throw new InvalidArgumentError('It takes the end of a chain as verify and export print it: POSITION:HASH.')
}

export function endWords({ position, hash }: ChainEnd): string {
  return `${position}:${hash}`
}
