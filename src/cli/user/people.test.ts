// People on the command line, on the database and over HTTP alike: invited, listed, changed, signed out, disabled.
import { afterAll, afterEach, expect, test } from 'vitest'
import { type Caller, openFolder } from '../../../test/commands.ts'
import { servedApiOn } from '../../../test/http.ts'
import { openMillrace } from '../../../test/millrace.ts'
import { peopleOn, publicUrl, strongPassword } from '../../../test/people.ts'

const { database } = await openMillrace()
const serveApi = servedApiOn(database)
const openPeople = peopleOn(database)
const folders: Caller[] = []
afterAll(() => {
  for (const folder of folders) folder.close()
})
afterEach(async () => {
  await database.query('delete from millrace.person')
})

function folderOf(environment: Record<string, string>): Caller {
  const folder = openFolder(environment)
  folders.push(folder)
  return folder
}

test('people are invited, listed, changed, signed out and disabled, from the database and over HTTP alike', async () => {
  const { url } = await serveApi({ ann: { role: 'admin', name: 'ann@example.org' } })
  const { api, person } = await openPeople()
  const local = folderOf({ DATABASE_URL: database.url })
  const remote = folderOf({ MILLRACE_URL: url, MILLRACE_KEY: 'ann' })
  expect((await local.call('user', 'list')).stdout).toBe('There is nobody.\n')
  await local.call('user', 'invite', 'root@example.org', '--role', 'admin')

  for (const [index, side] of [local, remote].entries()) {
    const email = `person-${index}@example.org`
    const invited = await side.call('user', 'invite', email, '--role', 'operator', '--url', publicUrl)
    expect(invited).toMatchObject({ status: 0, stderr: '' })
    const token = /\/auth\/link#([\w-]{43})\n/.exec(invited.stdout)![1]!
    expect((await side.call('user', 'list')).stdout).toContain('invited')
    expect((await api('POST', '/auth/link/use', { body: { token, password: strongPassword } })).status).toBe(
      200,
    )
    const browser = await person(email)

    const listed = await side.call('user', 'list')
    expect(listed.stdout).toMatch(new RegExp(`${email} +operator +no +active`))
    expect(listed.stdout.split('\n').every((line) => line.length <= 80)).toBe(true)
    expect((await side.call('user', 'change', email, '--payloads', '--if-revision', '0')).stdout).toBe(
      `${email} is at revision 1.\n`,
    )
    expect(await side.call('user', 'change', email, '--role', 'viewer', '--if-revision', '0')).toMatchObject({
      status: 4,
    })
    expect(await side.call('user', 'change', email, '--role', 'owner')).toMatchObject({ status: 2 })
    expect(await side.call('user', 'change', email)).toMatchObject({ status: 2 })
    const shown = await side.call('user', 'show', email)
    expect(shown.stdout).toContain(`<${email}>, operator, sees inputs and outputs.\nHas 1 session`)

    expect((await side.call('user', 'end-sessions', email)).stdout).toBe(`1 session of ${email} ended.\n`)
    expect((await side.call('user', 'list')).stdout).toMatch(new RegExp(`${email} .*signed out`))
    expect((await browser.ask('GET', '/auth/actor')).status).toBe(401)
    const link = await side.call('user', 'link', email, '--json')
    expect(JSON.parse(link.stdout)).toMatchObject({ email, link: expect.stringMatching(/\/auth\/link#/) })
    expect((await side.call('user', 'disable', email)).stdout).toContain('is disabled')
    expect((await side.call('user', 'show', email)).stdout).toContain('Disabled')
    expect(await side.call('user', 'link', email)).toMatchObject({ status: 4 })
    expect((await side.call('user', 'enable', email)).stdout).toContain('may sign in again')
    expect((await side.call('user', 'enable', email)).stdout).toContain('could sign in already')
    expect(await side.call('user', 'invite', email)).toMatchObject({
      status: 4,
      stderr: expect.stringContaining('already') as string,
    })
    expect(await side.call('user', 'show', 'nobody@example.org')).toMatchObject({
      status: 4,
      stderr: expect.stringContaining('npx millrace user list') as string,
    })
  }
})

test('what is no address of mail is refused with a sentence', async () => {
  const { call } = folderOf({ DATABASE_URL: database.url })
  expect(await call('user', 'invite', 'ann')).toMatchObject({
    status: 2,
    stderr: "Error: 'ann' is no address of mail. Give one like ann@example.org.\n",
  })
})
