// What a program of one's own is given as the address of the database.
import path from 'node:path'
import { expect, test } from 'vitest'
import { openFolder } from '../../../test/commands.ts'
import { startEmbeddedPostgres } from '../../embedded/server.ts'

test('the address is printed whole and alone, so that a shell hands it to a program', async () => {
  const url = 'postgres://ada:geheim@db.example:6432/app'
  const project = openFolder({ DATABASE_URL: url })
  expect(await project.call('database', 'address')).toEqual({ status: 0, stdout: `${url}\n`, stderr: '' })
  const { stdout } = await project.call('database', 'address', '--json')
  expect(JSON.parse(stdout)).toEqual({ address: url, source: 'environment' })
  project.close()
})

test('the address of an embedded server is printed while it runs; one that would end with the command has none', async () => {
  const project = openFolder()
  const server = await startEmbeddedPostgres({ directory: path.join(project.folder, '.millrace') })
  try {
    expect(await project.call('database', 'address')).toEqual({
      status: 0,
      stdout: `${server.url}\n`,
      stderr: '',
    })
    await server.release()
    expect(await project.call('database', 'address')).toEqual({
      status: 3,
      stdout: '',
      stderr: expect.stringMatching(/does not run.* Start it with: npx millrace dev\n$/) as string,
    })
  } finally {
    await server.release()
    project.close()
  }
}, 60_000)
