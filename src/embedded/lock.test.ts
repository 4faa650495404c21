// The lock lets one in at a time, and dead holders hold nothing.
import fs from 'node:fs'
import path from 'node:path'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { until } from '../../test/deadline.ts'
import { makeReachableFolder } from '../../test/reachable-folder.ts'
import { withLock } from './lock.ts'

let folder: string
let file: string

beforeEach(() => {
  folder = makeReachableFolder()
  file = path.join(folder, 'lock')
})

afterEach(() => {
  vi.restoreAllMocks()
  fs.rmSync(folder, { recursive: true, force: true })
})

it('is held by one at a time', async () => {
  const seen: string[] = []
  const enter = (name: string): Promise<void> =>
    withLock(file, async () => {
      seen.push(`${name} in`)
      await new Promise(setImmediate)
      seen.push(`${name} out`)
    })
  await Promise.all(['a', 'b', 'c'].map(enter))
  expect(seen).toHaveLength(6)
  for (const index of [0, 2, 4]) expect(seen[index + 1]).toBe(seen[index]?.replace('in', 'out'))
})

it('is free again after a failure', async () => {
  await expect(withLock(file, () => Promise.reject(new Error('no')))).rejects.toThrow('no')
  expect(fs.existsSync(file)).toBe(false)
})

it('is taken from a process that died', async () => {
  fs.writeFileSync(file, '4194305 17')
  expect(await withLock(file, async () => 'in')).toBe('in')
})

it('is taken from a process that died before it wrote its name, but not sooner than that takes', async () => {
  fs.writeFileSync(file, '')
  let ageMs = 1_000
  let looks = 0
  const makeFolder = fs.mkdirSync
  // So old at each look, however slow the machine is.
  vi.spyOn(fs, 'mkdirSync').mockImplementation(((folder: string) => {
    looks++
    const written = new Date(Date.now() - ageMs)
    fs.utimesSync(file, written, written)
    return makeFolder(folder)
  }) as typeof makeFolder)
  const take = vi.fn(async () => {})
  const taking = withLock(file, take)
  await until('it was looked at a few times', () => looks > 3)
  expect(take).not.toHaveBeenCalled()
  ageMs = 60_000
  await taking
  expect(take).toHaveBeenCalledOnce()
})

it('is taken even if a process died while it removed a dead lock', async () => {
  fs.writeFileSync(file, '4194305 17')
  fs.mkdirSync(`${file}.removal`)
  const longAgo = new Date(Date.now() - 60_000)
  fs.utimesSync(`${file}.removal`, longAgo, longAgo)
  expect(await withLock(file, async () => 'in')).toBe('in')
})

it('tells when its folder is gone', async () => {
  await expect(withLock(path.join(folder, 'missing', 'lock'), async () => 'in')).rejects.toThrow('ENOENT')
})
