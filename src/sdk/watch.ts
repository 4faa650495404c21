// Owns watch(): a table of the application whose changes start runs, as it stands in a configuration.
import { type Duration, durationMs } from '../core/duration.ts'
import { MillraceError } from '../core/errors.ts'
import { keyPaths } from '../core/key-path.ts'
import type { WatchDefinition, WatchOperation } from '../db/watches.ts'
import type { InputPaths } from './subscribe.ts'
import type { PipelineInput, Startable } from './startable.ts'
import { type Trigger, triggerOf } from './trigger.ts'
import { optionNames, unknownOption } from './unknown-option.ts'

/** What a run gets of a change, unless the watch maps it; a pipeline's schema says which columns it relies on. */
export interface Change<
  Row extends object = Readonly<Record<string, unknown>>,
  Key extends object = Readonly<Record<string, unknown>>,
> {
  readonly operation: WatchOperation | 'backfill'
  /** The columns that tell the row apart; null of a truncate. */
  readonly key: Key | null
  /** The row before: of updates and deletes. */
  readonly old: Partial<Row> | null
  /** The row now: of inserts, updates and backfills. */
  readonly new: Partial<Row> | null
  /** How many changes of the key it stands for. */
  readonly changes: number
  /** The name of the watch, and its table. */
  readonly watch: string
  readonly table: string
  /** When the last of them was made, as ISO 8601 in UTC. */
  readonly at: string
  /** Large columns whose values are not in it, and why. */
  readonly leftOut?: Readonly<Record<string, 'unchanged' | 'too large'>>
  /** Of a truncate: the tables and partitions that were emptied. */
  readonly emptied?: readonly string[]
}

/** A condition in SQL over `old` and `new`, for every operation, or one for each. */
export type WatchCondition =
  | string
  | { readonly insert?: string; readonly update?: string; readonly delete?: string }

export interface WatchOptions<P extends Startable = Startable> {
  /** What each change starts a run of. */
  readonly pipeline: P
  /** By which it is known: lower-case letters, digits and -; made of the table and the pipeline unless told. */
  readonly name?: string
  /** Insert, update and delete unless told. */
  readonly on?: readonly WatchOperation[]
  /** Only updates of these columns count; and with the key they are what a change carries, unless `values` says otherwise. */
  readonly columns?: readonly string[]
  /** The columns that a change carries, besides the key; all unless told. */
  readonly values?: readonly string[]
  /** Only changes for which it holds. Names that are not PostgreSQL's own are written with their schema. */
  readonly when?: WatchCondition
  /** The columns that tell the rows apart; the primary key unless told. */
  readonly key?: string | readonly string[]
  /** Changes of one key within this time, a day at most, are one run: with the first old and the last new. Each has its own unless told. */
  readonly coalesce?: Duration
  /** 'key': the run of a key begins once the one before has ended. 'none' unless told: runs begin in order, and run side by side. */
  readonly order?: 'key' | 'none'
  /** The fields of the input, each a path into the change such as new.title; the change itself is the input unless told. */
  readonly map?: InputPaths<PipelineInput<P>>
  /** Whose watch it is: it gets only rows whose `tenantColumn` holds this tenant. Nobody's, so the operator's, unless told. */
  readonly tenant?: string
  /** The column that holds the tenant. Without `tenant`, each run belongs to the tenant of its row. */
  readonly tenantColumn?: string
  /** When a change can't be recorded: 'refuse', unless told, fails the transaction that makes it; 'record gap' lets it go on, and records that. */
  readonly onCaptureFailure?: 'refuse' | 'record gap'
}

export interface Watch extends Trigger<'watch'> {
  readonly settings: WatchDefinition['settings']
}

/**
 * Starts a run of the pipeline for each change of a table, once the transaction that makes it has committed. What it asks of the table is installed
 * with `millrace watch apply`.
 *
 * @param table its name, with its schema or in `public`: as PostgreSQL writes it, without quotes
 * @throws MillraceError watch_invalid, duration_invalid, key_not_a_path
 */
export function watch<P extends Startable>(table: string, options: WatchOptions<P>): Watch {
  const settings = watchSettings(table, options)
  const made = `${settings.schema === 'public' ? '' : `${settings.schema}-`}${settings.table}-${settings.pipeline}`
  const name =
    options.name ??
    made
      .toLowerCase()
      .replaceAll(/[^a-z0-9-]+/g, '-')
      .slice(0, 63)
  return triggerOf('watch', name, { settings })
}

const operations: readonly WatchOperation[] = ['insert', 'update', 'delete', 'truncate']

const watchOptions = optionNames<WatchOptions>({
  pipeline: true,
  name: true,
  on: true,
  columns: true,
  values: true,
  when: true,
  key: true,
  coalesce: true,
  order: true,
  map: true,
  tenant: true,
  tenantColumn: true,
  onCaptureFailure: true,
})

const coalesceMsMax = 86_400_000

/** @throws MillraceError watch_invalid, duration_invalid, key_not_a_path */
export function watchSettings<P extends Startable>(
  table: string,
  options: WatchOptions<P>,
): WatchDefinition['settings'] {
  checkWords(table, options)
  const on = options.on ?? ['insert', 'update', 'delete']
  if (on.length === 0 || on.some((one) => !operations.includes(one)))
    throw invalid(table, 'it is on insert, update, delete or truncate, one at least')
  const slug = typeof options.pipeline === 'string' ? options.pipeline : options.pipeline?.slug
  if (typeof slug !== 'string') throw invalid(table, 'it names no pipeline')
  const { columns, values, key, tenant, tenantColumn, map } = options
  const when = conditions(on, options.when)
  const coalesceMs = options.coalesce === undefined ? 0 : durationMs(options.coalesce, 'coalesce')
  if (coalesceMs > coalesceMsMax) throw invalid(table, 'changes are gathered for a day at most')
  return {
    ...tableOf(table),
    pipeline: slug,
    operations: operations.filter((one) => on.includes(one)),
    ...(columns !== undefined && { columns }),
    ...(values !== undefined && { values }),
    ...(when !== undefined && { when }),
    ...(key !== undefined && { key: typeof key === 'string' ? [key] : key }),
    ...(coalesceMs > 0 && { coalesce_ms: coalesceMs }),
    ...(options.order === 'key' && { by_key: true }),
    ...(options.onCaptureFailure === 'record gap' && { record_gaps: true }),
    ...(tenant !== undefined && { tenant }),
    ...(tenantColumn !== undefined && { tenant_column: tenantColumn }),
    ...(map !== undefined && { map: pathsOf(slug, map) }),
  }
}

/** Where the compiler does not look, another word would mean the default without saying so. */
function checkWords(table: string, options: WatchOptions): void {
  const unknown = unknownOption(options, watchOptions)
  if (unknown !== undefined) throw invalid(table, `it has ${unknown}`)
  const { order = 'none', onCaptureFailure = 'refuse' } = options
  if (!['key', 'none'].includes(order)) throw invalid(table, `order is key or none, not '${String(order)}'`)
  if (!['refuse', 'record gap'].includes(onCaptureFailure))
    throw invalid(table, `onCaptureFailure is 'refuse' or 'record gap', not '${String(onCaptureFailure)}'`)
}

function tableOf(table: string): { readonly schema: string; readonly table: string } {
  const parts = typeof table === 'string' ? table.split('.') : []
  const [schema, name] = parts.length === 1 ? ['public', parts[0]] : parts
  if (parts.length > 2 || !schema || !name)
    throw invalid(String(table), "it is a table's name, with its schema or in public")
  return { schema, table: name }
}

/** A condition for all holds for the operations on rows; truncate has no row that it could be about. */
function conditions(
  on: readonly WatchOperation[],
  when: WatchCondition | undefined,
): { readonly [Operation in WatchOperation]?: string } | undefined {
  if (typeof when !== 'string') return when
  return Object.fromEntries(on.filter((one) => one !== 'truncate').map((one) => [one, when]))
}

const parts: ReadonlySet<string> = new Set(
  optionNames<Change>({
    operation: true,
    key: true,
    old: true,
    new: true,
    changes: true,
    watch: true,
    table: true,
    at: true,
    leftOut: true,
    emptied: true,
  }),
)

function pathsOf(slug: string, map: object): Record<string, readonly string[]> {
  const paths = Object.entries(map).map(([field, given]) => {
    const [path = [], ...others] = keyPaths(slug, given as string)
    if (others.length > 0) throw invalid(slug, `${field} is mapped to several paths, not to one`)
    if (!parts.has(path[0] ?? ''))
      throw invalid(
        slug,
        `${field} is mapped to ${String(given)}, which is no part of a change: new.title, old.title, key.id`,
      )
    return [field, path] as const
  })
  return Object.fromEntries(paths)
}

function invalid(table: string, problem: string): MillraceError {
  return new MillraceError('watch_invalid', `The watch on ${table.slice(0, 200)} is not valid: ${problem}.`, {
    fields: { table, problem },
  })
}
