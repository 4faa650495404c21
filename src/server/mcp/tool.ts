// Owns what an operation looks like as a tool: one flat object of arguments, which is taken apart again into path, query and body.
import { z } from 'zod'
import type { Operation } from '../../api/operation.ts'
import { MillraceError } from '../../core/errors.ts'
import { asksFirst, isAgentOperation } from '../../api/agent-operations.ts'

/** A tool as MCP lists it. */
interface Tool {
  readonly name: string
  readonly description: string
  readonly inputSchema: { readonly type: 'object'; readonly [keyword: string]: unknown }
  readonly annotations: {
    readonly title: string
    readonly readOnlyHint: boolean
    readonly destructiveHint: boolean
    readonly openWorldHint: false
  }
}

export interface OperationTool {
  readonly operation: Operation
  readonly tool: Tool
}

/** What a tool was given, in the places where its operation takes it. */
export interface ToolRequest {
  readonly params: Readonly<Record<string, string>>
  readonly query: Readonly<Record<string, string>>
  /** Undefined where the operation takes none. */
  readonly body: unknown
  readonly why: string | undefined
  readonly ifRevision: number | undefined
}

/** The tools among operations: what agents may use, and what answers JSON or nothing. */
export function toolsOf(operations: readonly Operation[]): readonly OperationTool[] {
  return operations
    .filter((operation) => isAgentOperation(operation) && operation.media === undefined)
    .map((operation) => ({ operation, tool: toolOf(operation) }))
}

/** Only those under these headings, and what says what became of a request; all where none is named. */
export function underTags(
  tools: readonly OperationTool[],
  tags: readonly string[] | undefined,
): readonly OperationTool[] {
  if (tags === undefined) return tools
  return tools.filter(({ operation: { tag } }) => tag === 'agents' || tags.includes(tag))
}

function toolOf(operation: Operation): Tool {
  const changes = asksFirst(operation)
  return {
    name: operation.name,
    description: changes
      ? `${operation.summary} A person is asked first, unless the key may act; then it answers with the request, which showAgentRequest follows.`
      : operation.summary,
    inputSchema: z.toJSONSchema(argumentsOf(operation), {
      io: 'input',
      unrepresentable: 'any',
    }) as Tool['inputSchema'],
    annotations: {
      title: operation.summary,
      readOnlyHint: !changes,
      destructiveHint: changes,
      openWorldHint: false,
    },
  }
}

const asking = {
  why: z.string().max(1_000).optional().describe('What it is good for: whoever decides reads it.'),
}
const revised = {
  if_revision: z.int().min(0).optional().describe('Only if nobody has changed it since this revision.'),
}

function argumentsOf(operation: Operation): z.ZodObject {
  const { params, query, body } = operation
  return z.strictObject({
    ...(asksFirst(operation) ? asking : {}),
    ...(operation.revised === true ? revised : {}),
    ...params?.shape,
    ...query?.shape,
    ...(flatBody(operation)?.shape ?? (body === undefined ? {} : { body })),
  })
}

/** The body whose fields stand beside the others: where each name has one place to go. Undefined: it stands in one named body. */
function flatBody({ params, query, body }: Operation): z.ZodObject | undefined {
  if (!(body instanceof z.ZodObject)) return undefined
  const names = [asking, revised, params?.shape, query?.shape, body.shape].flatMap((part) =>
    Object.keys(part ?? {}),
  )
  return new Set(names).size === names.length ? body : undefined
}

/** @throws MillraceError request_invalid for arguments that the tool doesn't have; their values are judged by the operation */
export function requestOf(operation: Operation, given: Readonly<Record<string, unknown>>): ToolRequest {
  const known = argumentsOf(operation).shape
  const stranger = Object.keys(given).find((name) => !Object.hasOwn(known, name))
  if (stranger !== undefined)
    throw new MillraceError(
      'request_invalid',
      `The tool ${operation.name} takes no '${stranger.slice(0, 50)}'.`,
    )
  const { params, query, body } = operation
  const flat = flatBody(operation)
  return {
    params: texts(picked(given, params)),
    query: texts(picked(given, query)),
    body: body === undefined ? undefined : flat === undefined ? (given.body ?? {}) : picked(given, flat),
    why: typeof given.why === 'string' ? given.why : undefined,
    ifRevision: typeof given.if_revision === 'number' ? given.if_revision : undefined,
  }
}

function picked(
  given: Readonly<Record<string, unknown>>,
  schema: z.ZodObject | undefined,
): Record<string, unknown> {
  const names = Object.keys(schema?.shape ?? {}).filter((name) => given[name] !== undefined)
  return Object.fromEntries(names.map((name) => [name, given[name]]))
}

/** As they stand in an address: a list with commas between. */
function texts(values: Readonly<Record<string, unknown>>): Record<string, string> {
  const text = (value: unknown): string =>
    Array.isArray(value)
      ? value.map(text).join(',')
      : typeof value === 'string'
        ? value
        : (JSON.stringify(value) ?? '')
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, text(value)]))
}
