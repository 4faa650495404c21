-- What is there already when a rule begins to hold, or gets another key: the latest live run of each key, or those that are pending. What is
-- live has a task, so the backlog is looked at, and not the history.
create or replace function millrace.count_started(rule millrace.start_rule, at timestamptz) returns void
language plpgsql
as $$
#variable_conflict use_column
begin
  if (rule).kind not in ('latest', 'waiting') then
    return;
  end if;
  with live as (
    select distinct o.run_id
      from handler h
     cross join lateral (select t.run_id from task t where t.handler = h.id union all select w.run_id from waiting_task w where w.handler = h.id) o
     where h.slug = (rule).slug
  ), keyed as (
    select r.id, r.tenant, composed_key((rule).key_paths, r.input, null, r.tenant) collate "C" as key
      from live l join run r on r.id = l.run_id
     where r.finished_at is null and (r.state = 'pending' or (rule).kind = 'latest')
  ), stated as (
    insert into start_state as s (rule_id, key, tenant, run_id, waiting, changed_at)
    select (rule).id, k.key, k.tenant, case when (rule).kind = 'latest' then max(k.id::text)::uuid end, case when (rule).kind = 'waiting' then count(*) else 0 end, at
      from keyed k group by k.key, k.tenant order by k.key, k.tenant
        on conflict (rule_id, key, tenant) do update set run_id = excluded.run_id, waiting = excluded.waiting
    returning s.id, s.key, s.tenant
  )
  insert into start_ticket (state_id, run_id)
  select s.id, k.id from keyed k join stated s on s.key = k.key and s.tenant is not distinct from k.tenant where (rule).kind = 'waiting'
      on conflict do nothing;
end $$;
comment on function millrace.count_started(millrace.start_rule, timestamptz) is 'Counts what is there already when a rule on starts begins to hold.';
