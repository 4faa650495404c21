// The law of the house: every rule holds for this project, finds the offence it was made for, and says its reason.
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { error_code_rules } from './tidy/error-codes.ts'
import { houseOf, readHouse, sourcePaths, textOf } from './tidy/house.ts'
import { import_rules } from './tidy/imports.ts'
import { name_rules } from './tidy/names.ts'
import { report, type Rule } from './tidy/rule.ts'
import { sizes } from './tidy/sizes.ts'
import { parse, walk } from './tidy/source.ts'
import { sql_function_rules } from './tidy/sql-functions.ts'
import { isSql, sql_text_rules } from './tidy/sql-text.ts'
import { word_rules } from './tidy/words.ts'

const house = readHouse(fileURLToPath(new URL('..', import.meta.url)))

const rules: [string, Rule][] = [
  ...import_rules,
  ...sql_text_rules,
  ...sql_function_rules,
  ...word_rules,
  ...name_rules,
  ...error_code_rules,
].map((rule) => [rule.claim, rule])

describe('the house is tidy', () => {
  test.each(rules)('%s', (_, rule) => {
    const findings = rule.find(house)
    if (findings.length > 0) expect.fail(report(rule, findings))
  })
})

describe('each rule finds the offence that it was made for', () => {
  test.each(rules)('%s', (_, rule) => {
    expect(rule.find(houseOf(rule.offence))).not.toEqual([])
  })
})

test.each([
  'select 1',
  'select * from run',
  '  -- a comment\n select millrace.now()',
  'with due as (select 1) select * from due',
  'update run set state = $1',
  'create database ${name}',
  'begin',
  'set local role millrace_worker; set x = 1',
  'listen millrace_wake',
])('%j is SQL text', (text) => {
  expect(isSql(text)).toBe(true)
})

test.each([
  'select a pipeline',
  'with a run key',
  'update the schema with millrace migrate',
  'delete a pipeline and its runs',
  'create a first pipeline',
  'begins at once',
  'set DATABASE_URL',
  'call cancelRun() first',
  'show one run',
])('%j is no SQL text', (text) => {
  expect(isSql(text)).toBe(false)
})

test('PP-C14 types are strict, and no `any` stands in src', () => {
  expect(JSON.parse(textOf(house, 'tsconfig.json'))).toMatchObject({ compilerOptions: { strict: true } })
  expect(sourcePaths(house).filter((path) => mentionsAny(textOf(house, path)))).toEqual([])
  expect(mentionsAny('const list: any[] = []')).toBe(true)
})

function mentionsAny(text: string): boolean {
  let found = false
  walk(parse('a file of src', text), (node) => (found ||= node.type === 'TSAnyKeyword'))
  return found
}

test('sizes are a mirror: the ten longest files and functions', () => {
  const mirror = sizes(house)
  console.log(mirror)
  expect(mirror).toContain('The ten longest functions')
})
