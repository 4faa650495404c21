// Cron jobs of pg_cron seen and taken over. The extensions can't be installed by npm: the tables and functions here have the names, columns, policies and
// signatures that pg_cron 1.6 and pg_net 0.14 give them; only the work of alter_job, which is C there, is written in SQL.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { openFolder } from '../../../test/commands.ts'
import { openMillrace } from '../../../test/millrace.ts'
import { chain, registerPipeline } from '../../../test/protocol.ts'

const { database } = await openMillrace()
const folder = openFolder({ DATABASE_URL: database.url })
afterAll(() => folder.close())

test('without pg_cron it says so', async () => {
  expect(await folder.call('schedule', 'adopt')).toMatchObject({
    status: 4,
    stderr: expect.stringContaining('There is no pg_cron in database') as string,
  })
})

describe('with pg_cron', () => {
  beforeAll(async () => {
    await registerPipeline(database, 'mails', chain('only'))
    await database.query(extensions)
  })

  beforeEach(async () => {
    await database.query(`truncate cron.job restart identity cascade; truncate cron.job_run_details; truncate net._http_response;
      delete from millrace.schedule`)
    await database.query(`insert into cron.job (schedule, command, database, username, jobname) values
      ('*/5 * * * *', $q$select net.http_post(url := 'https://x.example/functions/v1/send', headers := '{"apikey": "s3cr3t"}'::jsonb)$q$, current_database(), current_user, 'send mails'),
      ('30 seconds', 'select refresh_counts()', current_database(), current_user, null),
      ('0 3 $ * *', 'select call_outside()', current_database(), current_user, 'month-end')`)
    await database.query(`insert into cron.job_run_details (jobid, runid, database, username, command, status, return_message, start_time, end_time)
      select 1, n, current_database(), current_user, '', 'succeeded', '1 row', millrace.now() - n * interval '10 minutes', millrace.now() - n * interval '10 minutes' from generate_series(1, 3) n
      union all select 2, 10, current_database(), current_user, '', 'failed', 'ERROR: boom', millrace.now() - interval '3 minutes', millrace.now()
      union all select 3, 11, current_database(), current_user, '', 'succeeded', '1 row', millrace.now() - interval '20 days', millrace.now() - interval '20 days'`)
    await database.query(`insert into net._http_response (id, status_code, timed_out, created)
      values (1, 200, false, millrace.now() - interval '10 minutes' + interval '2 seconds'), (2, 401, false, millrace.now() - interval '20 minutes' + interval '1 second')`)
  })

  test('RR-1 cron jobs are listed with their real outcomes, and without their keys', async () => {
    const { status, stdout, stderr } = await folder.call('schedule', 'adopt')
    expect([status, stderr]).toEqual([0, ''])
    const [table, words] = stdout.split('\n\n')
    expect(table).toMatchInlineSnapshot(`
      "jobid  name        schedule     calls                    active  last run
          1  send mails  */5 * * * *  POST https://x.example   yes     succeeded
          2              30 seconds   select refresh_counts()  yes     failed
          3  month-end   0 3 $ * *    select call_outside()    yes     unknown"
    `)
    expect(words?.replaceAll(/\s+/g, ' ')).toMatch(
      /reads its patterns in GMT\. .* keeps answers for 6 h: .* Cron job 1: 1 succeeded, 1 failed, 1 unknown\. On .* UTC failed: answered 401\. Cron job 2: 1 failed\. .*ERROR: boom\. Cron job 3: 1 unknown\. .*its answer has expired\. $/,
    )
    expect(stdout.split('\n').every((line) => line.length <= 80)).toBe(true)
    const json = await folder.call('schedule', 'adopt', '--json')
    expect(json.stdout).not.toContain('s3cr3t')
    const told = JSON.parse(json.stdout) as { jobid: number; runs: { outcome: string }[] }[]
    expect(told.map(({ jobid, runs }) => [jobid, runs.map(({ outcome }) => outcome)])).toEqual([
      [1, ['unknown', 'failed', 'succeeded']],
      [2, ['failed']],
      [3, ['unknown']],
    ])
  })

  test('a cron job is taken over with its cadence, and deactivated in the same transaction where that is asked for', async () => {
    const taken = await folder.call('schedule', 'adopt', '1', '--pipeline', 'mails', '--disable')
    expect(taken).toMatchObject({
      status: 0,
      stdout: 'Schedule send-mails starts mails: */5 * * * * in UTC.\nCron job 1 is deactivated.\n',
    })
    expect(await database.query('select jobid::int, active from cron.job order by 1')).toEqual([
      { jobid: 1, active: false },
      { jobid: 2, active: true },
      { jobid: 3, active: true },
    ])
    const second = await folder.call(
      'schedule',
      'adopt',
      '2',
      '--pipeline',
      'mails',
      '--name',
      'counts',
      '--json',
    )
    expect(JSON.parse(second.stdout)).toEqual({
      ...{ schedule: 'counts', pipeline: 'mails', revision: 1, every_ms: 30_000, jobid: 2, disabled: false },
    })
    const third = await folder.call(
      'schedule',
      'adopt',
      '3',
      '--pipeline',
      'mails',
      '--input',
      '{"month": true}',
    )
    expect(third.stdout).toContain('Cron job 3 still runs as well')
    expect(
      await database.query(
        'select name, cron, timezone, every_ms::int, input, source from millrace.schedule order by name',
      ),
    ).toEqual([
      { name: 'counts', cron: null, timezone: null, every_ms: 30_000, input: null, source: 'operator' },
      {
        name: 'month-end',
        cron: '0 3 L * *',
        timezone: 'UTC',
        every_ms: null,
        input: { month: true },
        source: 'operator',
      },
      {
        name: 'send-mails',
        cron: '*/5 * * * *',
        timezone: 'UTC',
        every_ms: null,
        input: null,
        source: 'operator',
      },
    ])
  })

  test('what is refused changes neither side', async () => {
    const refusals = [
      [4, 'pg_cron has no cron job 9', ['9', '--pipeline', 'mails']],
      [2, 'Which pipeline', ['1']],
      [2, 'Which cron job', ['--pipeline', 'mails']],
      [4, "There is no pipeline 'nothing'", ['1', '--pipeline', 'nothing', '--disable']],
    ] as const
    for (const [status, said, args] of refusals)
      expect(await folder.call('schedule', 'adopt', ...args)).toMatchObject({
        status,
        stderr: expect.stringContaining(said) as string,
      })
    await folder.call('schedule', 'adopt', '1', '--pipeline', 'mails')
    expect(await folder.call('schedule', 'adopt', '1', '--pipeline', 'mails', '--disable')).toMatchObject({
      status: 4,
      stderr: expect.stringContaining("There is a schedule 'send-mails' already") as string,
    })
    await database.query(`update cron.job set schedule = '@reboot' where jobid = 2`)
    expect(await folder.call('schedule', 'adopt', '2', '--pipeline', 'mails', '--disable')).toMatchObject({
      status: 2,
    })
    expect(await database.query('select from cron.job where not active')).toEqual([])
  })

  test('a cron job that somebody changed meanwhile is not taken over', async () => {
    await expect(
      database.query(
        `select millrace.adopt_cron_job(1, '0 0 * * *', 'one', 'mails', '{"every_ms": 60000}', true)`,
      ),
    ).rejects.toMatchObject({ code: 'MR109' })
    expect(await database.query('select name from millrace.schedule')).toEqual([])
  })

  test('a role that may not read pg_cron is told which rights it lacks', async () => {
    const client = await database.pool.connect()
    await client.query('begin; set local role millrace_viewer')
    await expect(client.query('select millrace.read_cron_jobs()')).rejects.toMatchObject({
      code: 'MR108',
      hint: expect.stringContaining('grant usage on schema cron to millrace_viewer') as string,
    })
    await client.query('rollback')
    client.release()
  })
})

const extensions = `
  create schema cron;
  create sequence cron.jobid_seq;
  create sequence cron.runid_seq;
  create table cron.job (
    jobid bigint primary key default nextval('cron.jobid_seq'), schedule text not null, command text not null, nodename text not null default 'localhost',
    nodeport int not null default inet_server_port(), database text not null default current_database(), username text not null default current_user,
    active boolean not null default true, jobname text, constraint jobname_username_uniq unique (jobname, username));
  alter sequence cron.jobid_seq owned by cron.job.jobid;
  alter table cron.job enable row level security;
  create policy cron_job_policy on cron.job using (username = current_user);
  create table cron.job_run_details (
    jobid bigint, runid bigint primary key default nextval('cron.runid_seq'), job_pid integer, database text, username text, command text,
    status text, return_message text, start_time timestamptz, end_time timestamptz);
  alter table cron.job_run_details enable row level security;
  create policy cron_job_run_details_policy on cron.job_run_details using (username = current_user);
  create function cron.alter_job(
    job_id bigint, schedule text default null, command text default null, database text default null, username text default null, active boolean default null)
  returns void language sql as $$
    update cron.job j set active = coalesce(alter_job.active, j.active), schedule = coalesce(alter_job.schedule, j.schedule) where j.jobid = $1 $$;
  create schema net;
  create unlogged table net._http_response (
    id bigint, status_code integer, content_type text, headers jsonb, content text, timed_out bool, error_msg text, created timestamptz not null default now());
  create index on net._http_response (created);
  create function net.http_post(
    url text, body jsonb default '{}', params jsonb default '{}', headers jsonb default '{"Content-Type": "application/json"}', timeout_milliseconds int default 5000)
  returns bigint language sql as 'select 1::bigint';
  create function refresh_counts() returns void language sql as 'select';
  create function call_outside() returns bigint language sql as $$ select net.http_post(url := 'https://x.example/month') $$;
`
