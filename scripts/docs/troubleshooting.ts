// The page of errors: each code of the catalogue with its cause and what to do.
import { catalogue } from '../../src/core/errors.ts'
import { code, generated, table } from './markdown.ts'

type Entry = { cause: string; remedy: string; sqlstate?: string; exitCode?: number; permanent?: boolean }

const entries: [string, Entry][] = Object.entries(catalogue)

export const troubleshootingPage = (): string =>
  `${[
    '# Troubleshooting',
    generated('the catalogue in src/core/error-catalogue'),
    introduction,
    index(),
    ...[...entries].sort(byCode).map(section),
  ].join('\n\n')}\n`

const introduction = `Each error of Millrace carries a stable code, the facts as fields, and a sentence that names the thing and the next action.
Programs compare the code; the sentence may change. An error that SQL raises has the SQLSTATE given with its code. A command that ends
with an error exits with the status given, or with 1 where none is. A *permanent* error ends its step at once: a retry would only repeat it.`

const byCode = ([left]: [string, Entry], [right]: [string, Entry]): number => (left < right ? -1 : 1)

const index = (): string =>
  table(
    ['code', 'SQLSTATE', 'exit status'],
    [...entries]
      .sort(byCode)
      .map(([name, { sqlstate, exitCode }]) => [
        `[${code(name)}](#${name})`,
        code(sqlstate ?? ''),
        String(exitCode ?? 1),
      ]),
  )

const section = ([name, { cause, remedy, permanent }]: [string, Entry]): string =>
  [`## ${name}`, permanent ? `${cause} Permanent.` : cause, `**What to do:** ${remedy}`].join('\n\n')
