// Owns what the TypeScript of the pages takes for granted: where names come from, and what stands in the reader's own code.

import type { Piece } from './blocks.ts'

interface Import {
  /** As it stands in the import. */
  readonly said: string
  readonly name: string
  readonly from: string
}

const from = (address: string, ...names: string[]): Import[] =>
  names.map((said) => ({ said, name: said.replace(/^.* as /, ''), from: address }))

/** Names that a piece may use without an import of its own. */
export const imports: readonly Import[] = [
  ...from('millrace', 'limit'),
  ...from('millrace', 'schedule'),
  ...from('millrace', 'webhook'),
  ...from('millrace', 'subscribe'),
  ...from('millrace', 'Change', 'watch'),
  ...from('millrace', 'pipeline', 'connect', 'connectOutside', 'defineConfig', 'Client', 'PrismaTransaction'),
  ...from(
    'millrace',
    'drizzleTransaction',
    'kyselyTransaction',
    'postgresJsTransaction',
    'prismaTransaction',
  ),
  ...from('millrace', 'WhyReason', 's3Artifacts'),
  ...from('../../src/sdk/config.ts', 'WorkerConfig'),
  ...from('millrace/client', 'connectHttp'),
  ...from('millrace/testing', 'createTestEngine', 'TestEngine'),
  ...from('zod', 'z'),
  ...from('drizzle-orm/node-postgres', 'drizzle', 'NodePgDatabase'),
  ...from('drizzle-orm', 'sql as drizzleSql'),
  ...from('kysely', 'Kysely', 'PostgresDialect', 'sql as kyselySql'),
  ...from('pg', 'ClientBase'),
  ...from('postgres', 'Sql'),
  ...from('millrace', 'Durable', 'StreamWriter'),
  ...from('../../examples/agent-loop/agent-loop.ts', 'Mind', 'Turn'),
  ...from('../../examples/agent-loop/maze.ts', 'Maze'),
]

export interface Declaration {
  readonly name: string
  readonly text: string
}

/** What a piece of this page finds declared, where it uses its name: what its page says of that name goes before what all pages say. */
export function contextOf({ page, text }: Piece): Declaration[] {
  const own = (contexts[page] ?? [])
    .filter(([, only]) => only === undefined || text.includes(only))
    .map(([declaration]) => declarationOf(declaration))
  const known = new Set(own.map(({ name }) => name))
  return [...own, ...everywhere.map(declarationOf).filter(({ name }) => !known.has(name))]
}

const declarationOf = (text: string): Declaration => ({
  name: /(?:const|function|class|interface) (\w+)/.exec(text)?.[1] ?? '',
  text,
})

/** What stands in any reader's code. */
const everywhere = [
  'declare const client: Client',
  'declare const millrace: Client',
  'declare const database: string',
  'declare const id: string',
  'declare const reason: string',
]

/** A declaration, and what a piece must hold for it where two pieces mean different things by one name. */
type Given = readonly [declaration: string, only?: string]

const sweep: Given = [
  "declare const sweep: ReturnType<typeof makeSweep>; const makeSweep = () => pipeline('territory-sweep', { input: z.object({ state: z.string() }) }).step('search', () => [1])",
]

const contexts: Readonly<Record<string, readonly Given[]>> = {
  'docs/schedules.md': [
    ['declare const send: () => string'],
    ['declare const show: (...told: unknown[]) => void'],
    ['declare const engine: TestEngine'],
  ],
  'docs/callbacks.md': [
    ["const order = pipeline('order', { input: z.object({ id: z.number() }) }).step('send', () => 'sent')"],
    ["const invoices = pipeline('invoices').step('send', () => 'sent')", 'defineConfig'],
    ['declare const run: string'],
    ["const callback = { url: 'https://hooks.example.com/runs', secret: 'hooks/runs' }", 'callbacks.add'],
  ],
  'docs/changes.md': [
    ['interface Person { title: string; company: string }'],
    ['declare function lookUp(company: string | undefined): Promise<object>'],
  ],
  'docs/events.md': [
    ['declare const name: string'],
    ['declare const payload: { id: number }'],
    ['declare const run: { id: string }'],
    ['declare const step: string'],
    ['declare const idempotencyKey: string'],
  ],
  'docs/durable.md': [
    ['declare const durable: Durable'],
    ['declare function charge(cents: number, idempotencyKey: string): Promise<{ id: string }>'],
    [
      "const refund = pipeline('refund', { input: z.object({ payment: z.string() }) }).step('pay', () => ({ at: new Date() }))",
    ],
    [
      "const invoice = pipeline('invoice', { input: z.object({ cents: z.number() }) }).step('send', () => 'sent')",
    ],
    ["const before = pipeline('order').step('plan', () => ({ date: new Date() }))"],
  ],
  'docs/graph.md': [
    ['declare function charge(): { id: string }'],
    ['declare function book(): { id: string }'],
    ['declare function cancelBooking(id: string): Promise<void>'],
    ['declare function chooseGift(): string'],
    ['declare function wrapGift(): { paper: string }'],
    ['declare function ship(wrapped?: object): string', 'steps.wrap'],
    ['declare function ship(): string', '.undo('],
    ['declare function tell(step: string | undefined, message: string | undefined): Promise<void>'],
    ['declare function thank(shipped: string): Promise<void>'],
  ],
  'docs/progress-and-streams.md': [
    ['declare const pages: { title: string }[]'],
    ['declare function ask(page: { title: string }, question: string): AsyncIterable<string>'],
    ['declare function show(text: string): void'],
    ['declare const stream: StreamWriter'],
    ['declare const part: string'],
  ],
  'docs/client.md': [
    ["const client = connectHttp({ url: 'https://millrace.example.org' })"],
    ['declare const id: string'],
    ['declare function show(...values: unknown[]): void'],
  ],
  'docs/server.md': [["const hello = pipeline('hello').step('greet', () => 'Hello')"]],
  'docs/testing.md': [['declare const engine: TestEngine']],
  'docs/transactions.md': [
    [
      "const fulfil = pipeline('fulfil', { input: z.object({ order: z.number() }) }).step('ship', () => 'shipped')",
    ],
    ['declare const input: { order: number }'],
    ['declare const client: ClientBase'],
    ['declare const sql: Sql', 'postgresJsTransaction'],
    ['const sql = drizzleSql', 'drizzleTransaction'],
    ['const sql = kyselySql', 'kyselyTransaction'],
    ['declare const db: NodePgDatabase', 'drizzleTransaction'],
    ['declare const db: Kysely<Tables>', 'kyselyTransaction'],
    ['interface Tables { invoice: { id: number } }'],
    ['declare const prisma: { $transaction<T>(work: (tx: PrismaTransaction) => Promise<T>): Promise<T> }'],
    ["const before = pipeline('order').step('price', () => [1])"],
  ],
  'docs/data.md': [
    ['declare function readProduct(product: string): Promise<{ country: string; cents: number }>'],
    ['declare function readTax(country: string): Promise<number>'],
    ['declare function csvLines(): AsyncIterable<string>'],
    ['declare function upload(file: unknown): Promise<void>'],
    ['declare function show(...values: unknown[]): void'],
    ['declare function charge(input: unknown, token: unknown): Promise<void>'],
    ["const quote = pipeline('quote').step('price', () => 1)"],
    ["const before = pipeline('before', { input: z.object({ account: z.string() }) })"],
  ],
  'docs/secrets.md': [
    ["const before = pipeline('before', { input: z.object({ cents: z.number() }) })"],
    ['declare function charge(input: unknown, token: unknown): Promise<void>'],
  ],
  'docs/erasure.md': [['declare const name: string']],
  'docs/batches.md': [
    [
      'declare function sendMany(mails: object[], key: string, abort: AbortSignal): Promise<Array<{ ok: boolean; id: string; reason: string }>>',
    ],
    ['declare function findPlaces(): string[]'],
    ['declare function locateAll(places: string[]): Promise<number[]>'],
  ],
  'docs/limits.md': [
    ['declare function locate(account: string): Promise<number[]>'],
    ['declare function charge(): Promise<void>'],
    ['declare function send(backOff: unknown): Promise<void>'],
    ['declare const backOff: (time: string, limit?: string) => Promise<void>'],
    ['declare function show(...values: unknown[]): void'],
    ['declare function render(): Promise<void>'],
  ],
  'docs/webhooks.md': [
    [
      "const importing = pipeline('import', { input: z.object({ account: z.string(), file: z.string() }) }).step('read', () => null)",
    ],
    [
      "const people = webhook('people', { provider: 'standard', secret: 'hooks/people', pipeline: importing })",
      'client.webhooks',
    ],
    ['declare const request: Request'],
    ['declare const since: Date'],
  ],
  'docs/starts.md': [
    ['declare function readFile(name: string): Promise<string[]>'],
    ['declare function tryAgainAt(time: Date | null): void'],
  ],
  'docs/redrive.md': [['declare const fingerprint: string'], ['declare const since: Date'], sweep],
  'docs/versions.md': [sweep],
  'examples/agent-loop/README.md': [
    ['declare const input: { turns: number }'],
    ['declare const durable: Durable'],
    ['declare const turns: Turn[]'],
    ['declare const maze: Maze'],
    ['declare const mind: Mind'],
  ],
}
