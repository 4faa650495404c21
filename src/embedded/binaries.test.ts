// The programs from npm run although no install script made them complete, and wherever npm put them.
import fs from 'node:fs'
import path from 'node:path'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { makeReachableFolder } from '../../test/reachable-folder.ts'
import { type Binaries, findBinaries } from './binaries.ts'
import type { SystemUser } from './command.ts'
import { canWriteIn, findUnprivilegedUser } from './unprivileged.ts'

const isRoot = process.getuid?.() === 0

let user: SystemUser | undefined
let installed: Binaries
let parent: string
let cacheFolder: string

beforeAll(async () => {
  user = await findUnprivilegedUser([])
  installed = await findBinaries({ user, cacheFolder: '/missing' })
})

beforeEach(() => {
  parent = makeReachableFolder()
  cacheFolder = path.join(parent, 'cache')
})

afterEach(() => {
  for (const folder of fs.readdirSync(parent)) fs.chmodSync(path.join(parent, folder), 0o755)
  fs.rmSync(parent, { recursive: true, force: true })
})

/** The package as npm unpacks it: no links, and no right to execute, as some tools lose it. */
function unpack(): string {
  const folder = path.join(parent, 'unpacked')
  fs.cpSync(installed.folder, folder, { recursive: true, verbatimSymlinks: true })
  const lib = path.join(folder, 'lib')
  for (const entry of fs.readdirSync(lib, { withFileTypes: true }))
    if (entry.isSymbolicLink()) fs.rmSync(path.join(lib, entry.name))
  for (const program of fs.readdirSync(path.join(folder, 'bin')))
    fs.chmodSync(path.join(folder, 'bin', program), 0o644)
  return folder
}

function linksIn(folder: string): number {
  const entries = fs.readdirSync(path.join(folder, 'lib'), { withFileTypes: true })
  return entries.filter((entry) => entry.isSymbolicLink()).length
}

describe('the programs', () => {
  it('of the installed package run where they are', () => {
    expect(installed.folder).toContain('node_modules')
    expect(installed.version).toMatch(/^\d+\.\d+$/)
    expect(installed.version.startsWith(`${installed.majorVersion}.`)).toBe(true)
  })

  it('are made complete in place', async () => {
    const folder = unpack()
    const found = await findBinaries({ folder, user, cacheFolder })
    expect(found).toMatchObject({ folder, version: installed.version })
    expect(linksIn(folder)).toBe(linksIn(installed.folder))
    expect(fs.existsSync(cacheFolder)).toBe(false)
  })

  it.runIf(isRoot)('are copied once when the unprivileged user cannot reach them', async () => {
    const closed = path.join(parent, 'closed')
    fs.mkdirSync(closed, { mode: 0o700 })
    fs.renameSync(unpack(), path.join(closed, 'native'))
    const options = { folder: path.join(closed, 'native'), user, cacheFolder }
    const first = await findBinaries(options)
    expect(path.dirname(first.folder)).toBe(cacheFolder)
    expect(first.version).toBe(installed.version)
    const made = fs.statSync(first.folder).ino
    expect((await findBinaries(options)).folder).toBe(first.folder)
    expect(fs.statSync(first.folder).ino).toBe(made)
  })

  it.skipIf(isRoot || process.platform === 'win32')('are copied when their folder is read-only', async () => {
    const folder = unpack()
    for (const name of ['lib', 'bin']) fs.chmodSync(path.join(folder, name), 0o555)
    const found = await findBinaries({ folder, user, cacheFolder })
    for (const name of ['lib', 'bin']) fs.chmodSync(path.join(folder, name), 0o755)
    expect(path.dirname(found.folder)).toBe(cacheFolder)
    expect(found.version).toBe(installed.version)
  })

  it('that do not run are told with the reason', async () => {
    const folder = unpack()
    fs.rmSync(path.join(folder, 'lib'), { recursive: true })
    fs.rmSync(path.join(folder, 'pg-symlinks.json'))
    fs.cpSync(process.execPath, path.join(folder, 'bin', 'postgres'))
    await expect(findBinaries({ folder, user, cacheFolder })).rejects.toMatchObject({
      code: 'embedded_start_failed',
    })
  })
})

describe('a platform', () => {
  const arch = process.arch

  afterEach(() => {
    Object.defineProperty(process, 'arch', { value: arch })
  })

  it('without a package is named, with what to do instead', async () => {
    Object.defineProperty(process, 'arch', { value: 'mips' })
    await expect(findBinaries({ user, cacheFolder })).rejects.toMatchObject({
      code: 'embedded_unsupported_platform',
      hint: expect.stringContaining('database URL'),
    })
  })

  it('whose package was left out is told how to install it', async () => {
    const other = arch === 'x64' ? 'arm64' : 'x64'
    Object.defineProperty(process, 'arch', { value: other })
    await expect(findBinaries({ user, cacheFolder })).rejects.toMatchObject({
      code: 'embedded_binaries_missing',
      hint: expect.stringContaining('--include=optional'),
    })
  })
})

describe.runIf(isRoot)('an unprivileged user', () => {
  it('is the owner of the first folder that has one', async () => {
    const owned = path.join(parent, 'owned')
    fs.mkdirSync(owned)
    fs.chownSync(owned, 1, 1)
    expect(await findUnprivilegedUser(['/missing', owned])).toMatchObject({ uid: 1 })
  })

  it('writes only where the system lets it', async () => {
    const mine = path.join(parent, 'mine')
    fs.mkdirSync(mine)
    expect(user !== undefined && (await canWriteIn(mine, user))).toBe(false)
    if (user !== undefined) fs.chownSync(mine, user.uid, user.gid)
    expect(user !== undefined && (await canWriteIn(mine, user))).toBe(true)
  })
})
