// Owns the page that shows the description of the API to readers: plain HTML without a script, from this server alone.

interface Described {
  readonly operationId: string
  readonly summary: string
  readonly description?: string
  readonly tags: readonly string[]
  readonly parameters?: ReadonlyArray<Parameter>
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema?: unknown }>> }
  readonly responses: Readonly<Record<string, Answer>>
}

interface Parameter {
  readonly name: string
  readonly in: string
  readonly required?: boolean
  readonly description?: string
  readonly schema: unknown
}

interface Answer {
  readonly description: string
  readonly content?: Readonly<Record<string, { readonly schema?: unknown }>>
}

interface Description {
  readonly info: { readonly version: string; readonly description: string }
  readonly paths: Readonly<Record<string, Readonly<Record<string, Described>>>>
  readonly components: { readonly schemas: Readonly<Record<string, unknown>> }
}

/** What the page may load: its own style sheet. */
export const referencePolicy =
  "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

/** @param description as /openapi.json gives it */
export function referencePage(description: Readonly<Record<string, unknown>>, basePath: string): string {
  const { info, paths, components } = description as unknown as Description
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, one]) => ({ path, method, one })),
  )
  const tags = [...new Set(operations.map(({ one }) => one.tags[0] ?? ''))]
  const list = tags.map((tag) => {
    const own = operations.filter(({ one }) => one.tags[0] === tag)
    return `<section><h2>${text(tag)}</h2>${own.map(operationPart).join('')}</section>`
  })
  const schemas = Object.entries(components.schemas).map(
    ([name, schema]) =>
      `<details id="schema-${text(name)}"><summary><code>${text(name)}</code></summary>${code(schema)}</details>`,
  )
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Millrace API</title><link rel="stylesheet" href="${text(basePath)}/reference/style.css"></head>
<body><header><h1>Millrace API <small>${text(info.version)}</small></h1><p>${text(info.description)}
<a href="${text(basePath)}/openapi.json">openapi.json</a></p></header>
<main>${list.join('\n')}<section><h2>schemas</h2>${schemas.join('')}</section></main></body></html>
`
}

function operationPart({ path, method, one }: { path: string; method: string; one: Described }): string {
  const body = Object.values(one.requestBody?.content ?? {})[0]?.schema
  const answers = Object.entries(one.responses).map(([status, answer]) => {
    const [media, content] = Object.entries(answer.content ?? {})[0] ?? []
    const shown = Number(status) < 300 && content?.schema !== undefined ? code(content.schema) : ''
    return `<dt>${text(status)}</dt><dd>${text(answer.description)} ${media === undefined ? '' : `<code>${text(media)}</code>`}${shown}</dd>`
  })
  return `<details id="${text(one.operationId)}"><summary><b class="${text(method)}">${text(method.toUpperCase())}</b> <code>${text(path)}</code> ${text(one.summary)}</summary>
<p><code>${text(one.operationId)}</code> ${text(one.description ?? 'Takes no credential.')}</p>${parametersPart(one.parameters ?? [])}
${body === undefined ? '' : `<h3>Body</h3>${code(body)}`}<h3>Answers</h3><dl>${answers.join('')}</dl></details>`
}

function parametersPart(parameters: readonly Parameter[]): string {
  if (parameters.length === 0) return ''
  const rows = parameters.map(
    ({ name, in: where, required, description, schema }) =>
      `<dt><code>${text(name)}</code> ${text(where)}${required === true ? ', required' : ''}</dt><dd>${text(description ?? '')} <code>${text(JSON.stringify(schema))}</code></dd>`,
  )
  return `<h3>Parameters</h3><dl>${rows.join('')}</dl>`
}

/** A schema as JSON, whose references lead to what they name. */
function code(schema: unknown): string {
  const written = text(JSON.stringify(schema, null, 2))
  return `<pre>${written.replaceAll(/#\/components\/schemas\/(\w+)/g, '<a href="#schema-$1">$1</a>')}</pre>`
}

function text(value: string): string {
  const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }
  return value.replaceAll(/[&<>"]/g, (sign) => entities[sign]!)
}

export const referenceStyle = `:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
body { max-width: 60rem; margin: 0 auto; padding: 1rem }
h2 { margin: 2rem 0 .5rem; text-transform: capitalize }
h3 { margin: 1rem 0 .25rem; font-size: 1rem }
details { border-top: 1px solid color-mix(in srgb, currentColor 20%, transparent); padding: .5rem 0 }
summary { cursor: pointer; overflow-wrap: anywhere }
b { display: inline-block; min-width: 4.5rem }
pre { overflow: auto; max-height: 30rem; padding: .75rem; background: color-mix(in srgb, currentColor 6%, transparent) }
dt { margin-top: .5rem } dd { margin: 0 0 0 1.5rem; overflow-wrap: anywhere }
:target { outline: 2px solid; outline-offset: .25rem }
`
