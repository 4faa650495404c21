-- Starts the runs of queued firings, all or none. Those that take the place of others are delayed, for replace_started to put them behind these.
create or replace function millrace.start_firing_runs(firing_ids bigint[], replacing bigint[], at timestamptz) returns void
language plpgsql
as $$
#variable_conflict use_column
declare
  asked record;
begin
  select array_agg(uuid_v7(at)) as runs, array_agg(s.slug) as slugs, array_agg(coalesce(f.input, s.input)) as inputs, array_agg(s.priority) as priorities,
         array_agg(s.tenant) as tenants, array_agg(null::int) as versions, array_agg(f.id) as ids,
         array_agg(case when s.id = any (replacing) and f.kind <> 'backfill' then greatest(f.begins_at, at + interval '1 millisecond')
                        when f.begins_at > at then f.begins_at end) as availables
    into asked
    from unnest(firing_ids) with ordinality g(id, n) join firing f on f.id = g.id and f.state = 'queued' join schedule s on s.id = f.schedule_id;
  if asked.ids is null then
    return;
  end if;
  with answers as materialized (
    select a.run_id, a.reason, a.live_run_id
      from start_runs(asked.runs, asked.slugs, asked.versions, asked.inputs, asked.priorities, asked.tenants,
                      available_ats => case when exists (select from unnest(asked.availables) a where a is not null) then asked.availables end,
                      started_via => 'schedule', wake_always => false, given_ids => false) a
  ), told as (
    update firing f
       set state = case when a.reason is null or a.reason = 'coalesced' then 'started' else 'skipped' end,
           run_id = case when a.reason is null then g.run_id when a.reason = 'coalesced' then a.live_run_id end,
           started_at = case when a.reason is null or a.reason = 'coalesced' then at end,
           deadline_at = case when a.reason is null or a.reason = 'coalesced'
                              then coalesce(f.deadline_at, greatest(at, f.begins_at) + make_interval(secs => s.deadline_ms / 1000.0)) else f.deadline_at end,
           reason = case when a.reason = 'paused' then 'paused' when a.reason <> 'coalesced' then 'refused' end,
           refusal = case when a.reason not in ('paused', 'coalesced') then a.reason end,
           blocked_by = a.live_run_id,
           closed_at = case when a.reason <> 'coalesced' then at end,
           -- What else is queued may begin.
           unsettled = coalesce(a.reason <> 'coalesced', false)
      from unnest(asked.ids, asked.runs) g(id, run_id) left join answers a on a.run_id = g.run_id, schedule s
     where f.id = g.id and s.id = f.schedule_id
    returning f.run_id, f.id, f.slot_at, f.late_ms, f.kind, f.state, s.name
  )
  insert into event (run_id, at, actor, kind, detail)
  select t.run_id, start_firing_runs.at, session_user, 'run.triggered', jsonb_build_object(
           'by', 'schedule', 'schedule', t.name, 'firing', t.id, 'slot', to_char(t.slot_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
           'late_ms', t.late_ms, 'kind', t.kind)
    from told t where t.state = 'started';
  perform queue_pings(asked.ids, at);
end $$;
comment on function millrace.start_firing_runs(bigint[], bigint[], timestamptz) is 'Starts the runs of queued firings, all or none.';
