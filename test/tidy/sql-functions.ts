// Rules on the files in sql/: functions one by one, their callers, the numbers of migrations.
import { basename } from 'node:path'
import { type House, isTest, pathsUnder, textOf } from './house.ts'
import type { Rule } from './rule.ts'
import { readSource } from './source.ts'

const functionPaths = (house: House): string[] => pathsUnder(house, 'sql/functions', '.sql')

const stem = (path: string): string => basename(path, '.sql')

const withoutComments = (sql: string): string => sql.replace(/--[^\n]*/g, '').replace(/\/\*[^]*?\*\//g, '')

const createdIn = (sql: string): string[] =>
  [
    ...withoutComments(sql).matchAll(
      /create\s+(?:or\s+replace\s+)?(?:function|procedure)\s+(?:millrace\.)?"?(\w+)"?/gi,
    ),
  ].map((match) => match[1] ?? '')

const one_function_a_file: Rule = {
  claim: 'a file in sql/functions creates one function, under the name of the file',
  reason: 'the history of a file is then the biography of a function, and its name finds it.',
  offence: { 'sql/functions/run/cancel_run.sql': 'create or replace function millrace.stop_run() …' },
  find: (house) =>
    functionPaths(house).flatMap((path) => {
      const names = createdIn(textOf(house, path))
      if (names.length === 1 && names[0] === stem(path)) return []
      return [`${path} creates ${names.join(', ') || 'no function'}: it must create ${stem(path)} alone`]
    }),
}

const no_overloads: Rule = {
  claim: 'a function name is created in one file only',
  reason:
    'an overload answers a call that was meant for its sibling; arguments are added with defaults instead.',
  offence: {
    'sql/functions/run/cancel_run.sql': 'create or replace function millrace.cancel_run(id uuid) …',
    'sql/functions/task/cancel_run.sql': 'create or replace function millrace.cancel_run(id text) …',
  },
  find: (house) => {
    const homes = new Map<string, string[]>()
    for (const path of pathsUnder(house, 'sql', '.sql'))
      for (const name of createdIn(textOf(house, path))) homes.set(name, [...(homes.get(name) ?? []), path])
    return [...homes]
      .filter(([, paths]) => paths.length > 1)
      .map(([name, paths]) => `${name} is created in ${paths.join(' and ')}`)
  },
}

const one_caller: Rule = {
  claim:
    'an SQL function has one caller in src/db, or SQL calls it; one made for plain SQL alone has its test beside it',
  reason:
    'a second door would grow its own reading of the answer, and what nothing of ours calls is dead unless a test does.',
  offence: {
    'sql/functions/run/cancel_run.sql': 'create or replace function millrace.cancel_run(id uuid) …',
    'src/db/run.ts':
      'const a = () => sql("select millrace.cancel_run($1)"); const b = () => sql("select millrace.cancel_run($1)")',
  },
  find: (house) => functionPaths(house).flatMap((path) => callerFault(house, path)),
}

const callerFault = (house: House, path: string): string[] => {
  const name = stem(path)
  const callers = callersInCode(house, name)
  if (callers.length > 1)
    return [`${name} is called from ${callers.join(' and ')}: keep one, let the others call it`]
  if (callers.length === 1 || callersInSql(house, name, path).length > 0) return []
  if (!isGranted(house, name)) return [`${name} (${path}) is called by nothing and granted to nobody`]
  if (house.has(path.replace(/\.sql$/, '.test.ts'))) return []
  return [`${name} is granted, but nothing in src/db or SQL calls it, and no test stands beside ${path}`]
}

const callersInCode = (house: House, name: string): string[] =>
  pathsUnder(house, 'src/db', '.ts')
    .filter((path) => !isTest(path))
    .flatMap((path) => {
      const calls = new RegExp(`\\bmillrace\\.${name}\\b|^${name}$`)
      const owners = readSource(house, path).literals.filter((literal) => calls.test(literal.text))
      return [...new Set(owners.map((literal) => `${path} (${literal.owner})`))]
    })

const callersInSql = (house: House, name: string, own_path: string): string[] =>
  pathsUnder(house, 'sql', '.sql').filter(
    (path) =>
      path !== own_path &&
      path !== 'sql/grants.sql' &&
      new RegExp(`\\b${name}\\s*\\(`).test(withoutComments(textOf(house, path))),
  )

const isGranted = (house: House, name: string): boolean =>
  new RegExp(`\\b${name}\\b`).test(withoutComments(textOf(house, 'sql/grants.sql')))

const numbered_migrations: Rule = {
  claim: 'migrations are numbered from 0001 without a gap, and named',
  reason:
    'the number is the order in which they are applied, the name tells what one did without opening it.',
  offence: { 'sql/migrations/0001_core_tables.sql': '', 'sql/migrations/0003.sql': '' },
  find: (house) =>
    pathsUnder(house, 'sql/migrations', '.sql').flatMap((path, index) => {
      const number = String(index + 1).padStart(4, '0')
      if (new RegExp(`^${number}_[a-z][a-z0-9_]*$`).test(stem(path))) return []
      return [`${path} should be called ${number}_<what_changed>.sql`]
    }),
}

export const sql_function_rules: Rule[] = [one_function_a_file, no_overloads, one_caller, numbered_migrations]
