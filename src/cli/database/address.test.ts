// What a program of one's own is given as the address of the database.
import { expect, test } from 'vitest'
import { openFolder } from '../../../test/commands.ts'

test('the address is printed whole and alone, so that a shell hands it to a program', async () => {
  const url = 'postgres://ada:geheim@db.example:6432/app'
  const project = openFolder({ DATABASE_URL: url })
  expect(await project.call('database', 'address')).toEqual({ status: 0, stdout: `${url}\n`, stderr: '' })
  const { stdout } = await project.call('database', 'address', '--json')
  expect(JSON.parse(stdout)).toEqual({ address: url, source: 'environment' })
  project.close()
})
