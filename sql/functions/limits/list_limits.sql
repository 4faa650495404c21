-- The rules, or the one of a name, each with its busiest keys: those with most tasks waiting, then most in use, then latest free again.
-- Of a thousand states at most is counted how many wait, and at most ten thousand of each. Of fairness the keys that take turns.
create or replace function millrace.list_limits(only_name text default null, keys int default 10)
returns table (name text, kind text, settings jsonb, targets jsonb, source text, revision int, changed_at timestamptz, changed_by text, busiest jsonb)
language sql stable security definer set search_path = millrace, pg_temp
as $$
  select k.name, k.kind, limit_settings(k),
         (select coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object('slug', g.slug, 'step', g.step, 'queue', g.queue)) order by g.slug, g.step, g.queue), '[]')
            from limit_target g where g.rule_id = k.id),
         k.source, k.revision, k.changed_at, k.changed_by,
         case when k.kind = 'fairness' then list_turns(k.id, list_limits.keys) else
         (select coalesce(jsonb_agg(jsonb_build_object(
                   'key', b.key, 'used', b.in_use, 'capacity', k.capacity, 'waiting', b.queued,
                   'full_until', b.full_until, 'open_until', b.open_until, 'held_until', b.held_until,
                   'head_run', b.head_run, 'head_step', (select d.step from step_definition d where d.id = b.head_step), 'head_since', b.head_since) order by b.queued desc, b.in_use desc, b.busy_until desc nulls last, b.key), '[]')
            from (select c.*, limit_used(c) as in_use, w.queued, greatest(c.full_until, c.open_until, c.held_until) as busy_until
                    from (select s.* from limit_state s where s.rule_id = k.id
                           order by s.waiting desc, s.used desc, greatest(s.full_until, s.open_until, s.held_until) desc nulls last limit greatest(1000, list_limits.keys)) c
                   cross join lateral (
                     select count(*) + case when k.in_lanes and is_left_full(c, k.capacity) then count_in_lanes(k.id) else 0 end as queued
                       from (select from waiting_task w where w.limit_state_id = c.id limit 10000) w) w
                   order by w.queued desc, in_use desc, busy_until desc nulls last, c.key
                   limit greatest(0, least(list_limits.keys, 1000))) b) end
    from limit_rule k
   where list_limits.only_name is null or k.name = list_limits.only_name
   order by k.name
   limit 1000
$$;
comment on function millrace.list_limits(text, int) is 'The rules, each with what it holds for and its busiest keys.';
