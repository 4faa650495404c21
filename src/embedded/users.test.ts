// Who uses the server is counted by living processes, not by files.
import fs from 'node:fs'
import path from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { makeReachableFolder } from '../../test/reachable-folder.ts'
import { addUser, countLivingUsers, removeUser } from './users.ts'

let folder: string

beforeEach(() => {
  folder = makeReachableFolder()
})

afterEach(() => {
  fs.rmSync(folder, { recursive: true, force: true })
})

it('counts each use of one process', () => {
  const first = addUser(folder)
  addUser(folder)
  expect(countLivingUsers(folder)).toBe(2)
  removeUser(first)
  expect(countLivingUsers(folder)).toBe(1)
})

it('forgets a user that died without a word', () => {
  const dead = path.join(folder, '4194305-dead')
  fs.writeFileSync(dead, '4194305 17')
  expect(countLivingUsers(folder)).toBe(0)
  expect(fs.existsSync(dead)).toBe(false)
})

it('counts nobody where nobody ever was', () => {
  expect(countLivingUsers(path.join(folder, 'missing'))).toBe(0)
})
