-- Defines a rule, or changes it while runs are under way; answers its revision, which stays the same where nothing changes. Whoever says
-- which revision they saw changes no other one.
--
-- A rule changes only while nobody claims or ends: the lock makes every one of them that is under way end first, and the next one see the rule. So it
-- counts all that is held already, nothing begins past it, and nobody keeps a time that the old one gave.
create or replace function millrace.define_limit(
  name text, settings jsonb, targets jsonb, source text default 'operator', expected_revision int default null)
returns int
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
  wanted limit_rule := read_limit(define_limit.name, define_limit.settings, define_limit.source);
  found_rule limit_rule;
  same_reach boolean;
begin
  perform check_targets(define_limit.name, define_limit.targets);
  if wanted.kind = 'fairness' and define_limit.targets @? '$[*].step' then
    raise exception 'Limit ''%'' of kind fairness can''t hold for single steps: all that a worker claims of a pipeline takes the same turns.', define_limit.name
      using errcode = 'MR060', hint = 'Let it hold for the pipeline, or for a queue.';
  end if;
  perform check_limit_clear(wanted, define_limit.targets);
  -- Rules change one after the other; claims read them meanwhile.
  lock table limit_rule in share row exclusive mode;
  select k.* into found_rule from limit_rule k where k.name = define_limit.name;
  perform refuse_limit_revision(define_limit.name, found_rule, define_limit.expected_revision);
  if found_rule.kind <> wanted.kind then
    raise exception 'Limit ''%'' is of kind %, and stays so.', define_limit.name, found_rule.kind
      using errcode = 'MR060', hint = 'Remove it first, or give the other one a name of its own.';
  end if;
  same_reach := limit_reaches(found_rule, wanted, define_limit.targets);
  if same_reach and limit_equals(found_rule, wanted) then
    return found_rule.revision;
  end if;

  perform lock_reach();
  insert into limit_rule (name, kind, key_paths, input_path, capacity, strategy, unit_ms, burst, units_path, failures, window_ms, cooldown_ms, fifo, weights, default_weight, source, changed_at, changed_by)
  values (wanted.name, wanted.kind, wanted.key_paths, wanted.input_path, wanted.capacity, wanted.strategy, wanted.unit_ms, wanted.burst, wanted.units_path,
          wanted.failures, wanted.window_ms, wanted.cooldown_ms, wanted.fifo, wanted.weights, wanted.default_weight, wanted.source, at, actor())
      on conflict (name) do update
     set key_paths = excluded.key_paths, input_path = excluded.input_path, capacity = excluded.capacity, strategy = excluded.strategy, unit_ms = excluded.unit_ms, burst = excluded.burst,
         units_path = excluded.units_path, failures = excluded.failures, window_ms = excluded.window_ms, cooldown_ms = excluded.cooldown_ms,
         fifo = excluded.fifo, weights = excluded.weights, default_weight = excluded.default_weight,
         source = excluded.source, revision = limit_rule.revision + 1, changed_at = excluded.changed_at, changed_by = excluded.changed_by
  returning limit_rule.* into found_rule;

  if not same_reach then
    delete from limit_target g where g.rule_id = found_rule.id;
    insert into limit_target (rule_id, slug, step, queue)
    select distinct found_rule.id, t.slug, t.step, t.queue from jsonb_to_recordset(define_limit.targets) t(slug text, step text, queue text);
    perform write_audit('limit.targeted', 'limit', found_rule.name, jsonb_build_object('targets', define_limit.targets));
    perform link_limits(array[found_rule.id]);
    perform refuse_two_orders(found_rule);
    perform lock_limit_ends(found_rule.id);
    perform free_waiters(found_rule.id, at);
    perform count_holders(found_rule.id, at);
  elsif found_rule.kind = 'rate' then
    -- Times that were given by the old rate are given anew.
    perform free_waiters(found_rule.id, at);
    update limit_state s set full_until = null where s.rule_id = found_rule.id;
  end if;
  perform call_waiters(array(select s.id from limit_state s where s.rule_id = found_rule.id and s.waiting order by s.id for update), at);
  perform wake_workers(false);
  return found_rule.revision;
end $$;
comment on function millrace.define_limit(text, jsonb, jsonb, text, int) is 'Defines a rule on how many tasks may run or begin, or changes it; answers its revision.';
