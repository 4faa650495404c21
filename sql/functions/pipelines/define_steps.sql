-- Writes the steps of a new version and works out what each one's completion leads to, so that the hot path looks up one row.
create or replace function millrace.define_steps(slug text, version int, graph jsonb) returns void
language plpgsql
as $$
#variable_conflict use_column
begin
  -- A step whose tasks are claimed in batches has a handler of its own.
  insert into handler (slug, version, queue, batch)
  select distinct define_steps.slug, define_steps.version, coalesce(s ->> 'queue', 'default'), case when s ? 'batch' then s ->> 'name' end
    from jsonb_array_elements(graph -> 'steps') s;

  insert into step_definition (slug, version, step, position, kind, handler, over, needs, max_attempts,
    backoff_initial_ms, backoff_factor, backoff_max_ms, backoff_jitter, timeout_ms,
    on_error, fallback, skips_with_needs, concurrency, fail_after_items, fail_after_percent, is_listed, undoes, follows, retry_rules, retry_pacing,
    batch_size, batch_ms, batch_key)
  select define_steps.slug, define_steps.version, o.step, o.position, coalesce(s ->> 'kind', 'step'), h.id, s ->> 'over', o.needs,
         coalesce((s ->> 'max_attempts')::int, 3),
         coalesce((s #>> '{backoff,initial_ms}')::float8, 30000), coalesce((s #>> '{backoff,factor}')::float8, 2),
         coalesce((s #>> '{backoff,max_ms}')::float8, 3600000), coalesce(s #>> '{backoff,jitter}', 'full'),
         coalesce((s ->> 'timeout_ms')::bigint, 300000),
         case when jsonb_typeof(s -> 'on_error') = 'object' then 'fallback' else coalesce(s ->> 'on_error', 'fail') end,
         s #> '{on_error,fallback}', coalesce(s ->> 'if_skipped' = 'skip', false),
         -- What undoes a map goes over its items as that does.
         coalesce(s ->> 'concurrency', (select map ->> 'concurrency' from jsonb_array_elements(graph -> 'steps') map where map ->> 'name' = s ->> 'undoes'))::int,
         case jsonb_typeof(s -> 'fail_after') when 'number' then (s ->> 'fail_after')::int end,
         case jsonb_typeof(s -> 'fail_after') when 'string' then rtrim(s ->> 'fail_after', '%')::float8 end,
         coalesce(s ->> 'kind', 'step') <> 'map' and exists (
           select from jsonb_array_elements(graph -> 'steps') map
            where map ->> 'over' = o.step and coalesce(map -> 'on_error', '"fail"') = '"fail"'),
         s ->> 'undoes', s ->> 'follows', nullif(s -> 'retry_rules', '[]'),
         case when graph ? 'retry_allowance' then coalesce(graph #>> '{retry_allowance,used_up}', 'wait') end,
         (s #>> '{batch,size}')::int, (s #>> '{batch,within_ms}')::bigint, s #> '{batch,key}'
    from order_steps(define_steps.slug, graph) o
    join jsonb_array_elements(graph -> 'steps') s on s ->> 'name' = o.step
    join handler h on h.slug = define_steps.slug and h.version = define_steps.version and h.queue = coalesce(s ->> 'queue', 'default')
     and h.batch is not distinct from case when s ? 'batch' then s ->> 'name' end;

  -- The end is a step too: it needs all the steps that nobody comes after.
  insert into step_definition (slug, version, step, position, kind, needs, max_attempts,
    backoff_initial_ms, backoff_factor, backoff_max_ms, backoff_jitter, timeout_ms)
  select define_steps.slug, define_steps.version, '$end', count(*), 'end',
         array_agg(d.step order by d.position) filter (where not exists (
           select from step_definition other
            where other.slug = d.slug and other.version = d.version and d.step = any (other.needs)) and d.kind not in ('undo', 'finally')),
         1, 0, 1, 0, 'none', 1
    from step_definition d
   where d.slug = define_steps.slug and d.version = define_steps.version;

  update step_definition d
     set dependents = array(select after.id from step_definition after
                             where after.slug = d.slug and after.version = d.version and d.step = any (after.needs)
                             order by after.position)
   where d.slug = define_steps.slug and d.version = define_steps.version;

  -- What follows the end well is its only dependent.
  update step_definition d
     set dependents = array(select f.id from step_definition f where f.slug = d.slug and f.version = d.version and f.follows = 'completed')
   where d.slug = define_steps.slug and d.version = define_steps.version and d.kind = 'end';

  update step_definition d
     set next_rule = case next.kind when 'end' then 'end' else 'chain' end,
         next_step_id = case when next.kind <> 'end' then next.id end,
         next_handler = case when next.kind <> 'end' then next.handler end
    from step_definition next
   where d.slug = define_steps.slug and d.version = define_steps.version and d.kind <> 'map'
     and cardinality(d.dependents) = 1 and next.id = d.dependents[1]
     and cardinality(next.needs) = 1 and next.kind <> 'map' and not next.skips_with_needs
     and not (next.kind = 'end' and next.dependents <> '{}');

  update pipeline_version v
     set entry_steps = array(select d.id from step_definition d
                              where d.slug = v.slug and d.version = v.version and d.needs = '{}' and d.kind not in ('undo', 'finally') order by d.position),
         entry_handlers = array(select d.handler from step_definition d
                                 where d.slug = v.slug and d.version = v.version and d.needs = '{}' and d.kind not in ('undo', 'finally') order by d.position),
         has_joins = exists (select from step_definition d
                              where d.slug = v.slug and d.version = v.version and cardinality(d.needs) > 1)
   where v.slug = define_steps.slug and v.version = define_steps.version;
  -- In the order in which whoever defines a rule locks the two tables.
  if exists (select from limit_rule) then
    lock table limit_rule in share row exclusive mode;
  end if;
  perform link_limits(null, define_steps.slug, define_steps.version);
  perform place_limits();
end $$;
comment on function millrace.define_steps(text, int, jsonb) is 'Writes the steps of a new version and what each one leads to.';
