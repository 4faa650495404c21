// What prepare decides: which Node is too old, and whether the dependencies have to be installed.
import { describe, expect, it } from 'vitest'
import { isInstalled, refuseNode } from './prepare.mjs'

describe('a Node', () => {
  it.each(['20.19.0', '20.20.2', '22.0.0', '24.1.0'])('%s is new enough', (version) => {
    expect(refuseNode(version)).toBeUndefined()
  })

  it.each(['18.20.0', '20.18.3'])('%s is too old, which one sentence says', (version) => {
    expect(refuseNode(version)).toBe(`Millrace needs Node 20.19 or newer; this is Node ${version}.`)
  })
})

describe('the dependencies', () => {
  const entry = { version: '1.0.0', integrity: 'sha512-a' }
  const packages = { '': { name: 'millrace' }, 'node_modules/a': entry }

  it('are installed when node_modules holds what the lockfile names', () => {
    expect(isInstalled({ packages }, { packages: { 'node_modules/a': entry } })).toBe(true)
  })

  it('may lack what is optional, which npm leaves out on other platforms', () => {
    const other = { ...packages, 'node_modules/b': { ...entry, optional: true } }
    expect(isInstalled({ packages: other }, { packages: { 'node_modules/a': entry } })).toBe(true)
  })

  it.each([
    ['nothing was installed', undefined],
    ['one is missing', {}],
    ['one has another version', { 'node_modules/a': { ...entry, version: '1.0.1' } }],
    ['one has other contents', { 'node_modules/a': { ...entry, integrity: 'sha512-b' } }],
    ['one is there that the lockfile dropped', { 'node_modules/a': entry, 'node_modules/old': entry }],
  ])('have to be installed when %s', (_, installed) => {
    expect(isInstalled({ packages }, installed && { packages: installed })).toBe(false)
  })
})
