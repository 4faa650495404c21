// Owns what the client knows of each operation while it runs: its route, and what is sent and comes back.
import type { operations } from '../api/catalogue.ts'
import type { Method } from '../api/operation.ts'
import { MillraceError } from '../core/errors.ts'
import { routeLines } from './route-lines.ts'

export interface ClientRoute {
  readonly name: keyof typeof operations
  readonly method: Method
  readonly path: string
  readonly hasBody: boolean
  /** Whether JSON comes back. */
  readonly hasAnswer: boolean
  /** Whether it takes a revision. */
  readonly isRevised: boolean
  /** An idempotency key is not kept for it: sent twice, it may be done twice. */
  readonly seesToRepeats: boolean
  /** Whether the answer may come as 503 as well. */
  readonly isToldUnwell: boolean
  /** What comes back in place of JSON. */
  readonly media: string | undefined
}

/** Those of the catalogue: a test holds the lines against it. */
export const clientRoutes: readonly ClientRoute[] = routeLines.trim().split('\n').map(routeOf)

/** @throws MillraceError argument_invalid for what is no operation */
export function routeNamed(name: string): ClientRoute {
  const route = clientRoutes.find((one) => one.name === name)
  if (route !== undefined) return route
  throw new MillraceError('argument_invalid', `There is no operation ${name}.`)
}

function routeOf(line: string): ClientRoute {
  const [name, method, path, ...more] = line.split(' ')
  return {
    name: name as ClientRoute['name'],
    method: method as Method,
    path: path!,
    hasBody: more.includes('body'),
    hasAnswer: more.includes('answer'),
    isRevised: more.includes('revised'),
    seesToRepeats: more.includes('once'),
    isToldUnwell: more.includes('unwell'),
    media: more.find((word) => word.includes('/')),
  }
}
