// The audit trail on the command line: listed, exported, checked in the database and from the export alone, pruned.
import fs from 'node:fs'
import { afterAll, expect, test } from 'vitest'
import { openFolder } from '../../../test/commands.ts'
import { openMillrace } from '../../../test/millrace.ts'

const { database } = await openMillrace()
const folder = openFolder({ MILLRACE_DATABASE_URL: database.url })
afterAll(() => folder.close())

// That a copy of the template may run is the first entry.
const last = 1 + 3

test('FO-13 the trail is listed, exported line by line, and checked with and without the database', async () => {
  for (const days of [40, 41, 42])
    await database.query(
      `update millrace.setting set value = to_jsonb($1::int) where name = 'retention_days'`,
      [days],
    )
  const listed = await folder.call('audit-trail', 'list', '--kind', 'setting', '--limit', '2')
  expect(listed.stdout.split('\n').filter((line) => line.includes('setting.changed'))).toHaveLength(2)
  const json = await folder.call('--json', 'audit-trail', 'list', '--action', 'setting.changed')
  expect(JSON.parse(json.stdout)).toMatchObject([
    { before: { value: 41 }, after: { value: 42 } },
    { before: { value: 40 } },
    { after: { value: 40 } },
    { subject: 'home' },
  ])

  const exported = await folder.call('audit-trail', 'export')
  expect(exported.stdout.trim().split('\n')).toHaveLength(last)
  expect(exported.stderr).toContain(`The last position is ${last}.`)
  folder.write('trail.jsonl', exported.stdout)
  const verified = await folder.call('audit-trail', 'verify')
  const end = new RegExp(`${last}:[0-9a-f]{64}`).exec(verified.stdout)?.[0]
  expect((await folder.call('audit-trail', 'verify', '--file', 'trail.jsonl')).stdout).toContain(end)
  expect(await folder.call('audit-trail', 'verify', '--known', end!)).toMatchObject({ status: 0 })
  expect(await folder.call('audit-trail', 'verify', '--known', `${last}:${'0'.repeat(64)}`)).toMatchObject({
    status: 5,
  })

  folder.write('later.jsonl', (await folder.call('audit-trail', 'export', '--after', '1')).stdout)
  const [first] = exported.stdout.split('\n')
  const { position, hash } = JSON.parse(first!) as { position: number; hash: string }
  const from = ['--from', `${position}:${hash}`]
  expect(await folder.call('audit-trail', 'verify', '--file', 'later.jsonl', ...from)).toMatchObject({
    status: 0,
  })

  folder.write('trail.jsonl', exported.stdout.replace('41', '99'))
  const broken = await folder.call('audit-trail', 'verify', '--file', 'trail.jsonl')
  expect(broken).toMatchObject({ status: 5, stdout: '' })
  expect(broken.stderr).toContain('does not fit its hash')
  expect(await folder.call('audit-trail', 'verify', '--file', 'none.jsonl')).toMatchObject({ status: 2 })
})

test('what goes stands in a file that adds up, and only with --yes', async () => {
  const { stdout } = await folder.call('audit-trail', 'export')
  const file = folder.write('all.jsonl', stdout)
  expect(await folder.call('audit-trail', 'prune', file)).toMatchObject({ status: 2 })
  expect((await folder.call('audit-trail', 'prune', file, '--yes')).stdout).toContain(
    'Nothing in this export',
  )
  await database.clock.advance('91 days')
  fs.writeFileSync(file, stdout.replace('40', '99'))
  expect(await folder.call('audit-trail', 'prune', file, '--yes')).toMatchObject({ status: 5 })
  fs.writeFileSync(file, stdout)
  expect((await folder.call('audit-trail', 'prune', file, '--yes')).stdout).toContain(
    `Removed ${last} entries, up to position ${last}.`,
  )
  expect(await folder.call('audit-trail', 'verify')).toMatchObject({ status: 0 })
})
