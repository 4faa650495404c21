// The plan of an apply, from files and record alone.
import { describe, expect, test } from 'vitest'
import { compareVersions, isUpToDate, nextMigrations, planMigration } from './migration-plan.ts'
import type { SchemaFiles } from './schema-files.ts'
import type { SchemaState } from './schema-state.ts'

const files: SchemaFiles = {
  migrations: [migration(1, 'a'), migration(2, 'b', true), migration(3, 'c')],
  functions: [],
  roles: '',
  grants: '',
  functionsChecksum: 'same',
  packageVersion: '1.2.0',
}

function migration(number: number, name: string, outsideTransaction = false) {
  return { number, name, file: `000${number}_${name}.sql`, text: '', checksum: name, outsideTransaction }
}

function state(applied: number, functionSet: Partial<SchemaState['functionSet']> = {}): SchemaState {
  const current = { checksum: 'same', packageVersion: '1.2.0', roles: ['millrace_worker'], ...functionSet }
  return { exists: true, migrations: files.migrations.slice(0, applied), functionSet: current }
}

const namesAfter = (applied: number): string[] =>
  nextMigrations(planMigration(files, state(applied), [])).map(({ name }) => name)

describe('the next transaction', () => {
  test('ends before a migration that stands alone', () => expect(namesAfter(0)).toEqual(['a']))
  test('is that migration alone', () => expect(namesAfter(1)).toEqual(['b']))
  test('begins anew behind it', () => expect(namesAfter(2)).toEqual(['c']))
  test('has none when all are applied', () => expect(namesAfter(3)).toEqual([]))
})

describe('the functions are applied anew', () => {
  const changed = (functionSet: Partial<SchemaState['functionSet']>, roles = ['millrace_worker']): boolean =>
    !isUpToDate(planMigration(files, state(3, functionSet), roles))

  test('not when nothing changed', () => expect(changed({})).toBe(false))
  test('when a file changed', () => expect(changed({ checksum: 'other' })).toBe(true))
  test('when a role appeared', () => expect(changed({}, ['millrace_worker', 'millrace_viewer'])).toBe(true))
  test('not when a role went', () => expect(changed({}, [])).toBe(false))
  test('after an apply that stopped half-way', () => {
    const plan = planMigration(files, { ...state(3), functionSet: null }, [])
    expect(plan.functionsChanged).toBe(true)
  })
  test('never over those of a newer version', () => {
    const newer = () => planMigration(files, state(3, { checksum: 'other', packageVersion: '1.10.0' }), [])
    expect(newer).toThrow(expect.objectContaining({ code: 'schema_newer' }))
  })
})

test.each([
  ['1.2.3', '1.2.3', 0],
  ['1.2.10', '1.2.9', 1],
  ['1.10.0', '1.9.9', 1],
  ['0.9.0', '1.0.0', -1],
  ['1.0.0-rc.1', '1.0.0', 0],
])('version %s against %s', (left, right, order) => {
  expect(Math.sign(compareVersions(left, right))).toBe(order)
})
