// Owns how commands say which cached values are meant.
import type { Command } from 'commander'
import type { CacheFilter } from '../../db/cache.ts'
import { filterOf } from '../../sdk/cache.ts'
import { text } from '../option-values.ts'

export interface CacheChoices {
  readonly scope?: string
  readonly key?: string
  readonly prefix?: string
  readonly tenant?: string
}

export function withChoices(command: Command): Command {
  return command
    .option('--scope <scope>', 'a scope: a name, a pipeline, or pipeline/step', text('--scope'))
    .option('--key <key>', 'one key', text('--key'))
    .option('--prefix <text>', 'all keys that begin with it', text('--prefix'))
    .option('--tenant <tenant>', 'of this tenant', text('--tenant'))
}

/** @throws MillraceError cache_key_invalid */
export function chosen({ scope, key, prefix, tenant }: CacheChoices): CacheFilter {
  return filterOf({
    ...(scope !== undefined && { scope }),
    ...(key !== undefined && { key }),
    ...(prefix !== undefined && { prefix }),
    ...(tenant !== undefined && { tenant }),
  })
}
