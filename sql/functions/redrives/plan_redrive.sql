-- What a redrive would do now, and changes nothing: how many of the failed runs that a filter lets through would be redriven, and how many would be
-- refused, by reason. A reason of null stands for those that would be.
create or replace function millrace.plan_redrive(filter jsonb, restart text default 'failed', step text default null, version text default 'original')
returns table (reason text, runs int)
language plpgsql stable security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  in_place uuid[];
  in_place_ats timestamptz[];
  anew uuid[];
  anew_ats timestamptz[];
begin
  perform check_failure_filter(filter);
  select array_agg(g.id) filter (where g.stays), array_agg(g.failed_at) filter (where g.stays),
         array_agg(g.id) filter (where not g.stays), array_agg(g.failed_at) filter (where not g.stays)
    into in_place, in_place_ats, anew, anew_ats
    from (select r.id, m.failed_at, goes_on_in_place(plan_redrive.restart, false, plan_redrive.version, r.version, p.active_version) as stays
    from (select d.run_id, d.failed_at from match_dead_letters(filter) d
          union
          select n.id::uuid, null from jsonb_array_elements_text(coalesce(filter -> 'runs', '[]')) n(id)
           where not exists (select from dead_letter l where l.run_id = n.id::uuid)) m
    join run r on r.id = m.run_id join pipeline p on p.slug = r.slug) g;
  return query
    with fault as (
      select f.run_id, f.reason from redrive_faults(in_place, in_place_ats, true) f
      union all
      select f.run_id, f.reason from redrive_faults(anew, anew_ats, false) f
    ), copied as (
      select a.id as run_id, p.reason
        from unnest(anew) a(id) join run r on r.id = a.id
       cross join lateral plan_copy(r, case plan_redrive.version when 'latest' then (select v.active_version from pipeline v where v.slug = r.slug) else r.version end,
                                    case plan_redrive.restart when 'step' then plan_redrive.step end) p
       where plan_redrive.restart <> 'start' and p.reason is not null and not exists (select from fault f where f.run_id = a.id)
    ), live as (
      select a.id as run_id, 'live' as reason
        from unnest(anew) a(id) join run r on r.id = a.id
        join live_key k on k.slug = r.slug and k.key = r.key and k.tenant is not distinct from r.tenant
       where not exists (select from fault f where f.run_id = a.id) and not exists (select from copied c where c.run_id = a.id)
    )
    select g.reason, count(*)::int
      from (select m.id, coalesce(f.reason, c.reason, l.reason) as reason
              from unnest(in_place || anew) m(id) left join fault f on f.run_id = m.id left join copied c on c.run_id = m.id left join live l on l.run_id = m.id) g
     group by g.reason order by g.reason nulls first;
end $$;
comment on function millrace.plan_redrive(jsonb, text, text, text) is 'What a redrive would do now: how many runs, and how many are refused for which reason.';
