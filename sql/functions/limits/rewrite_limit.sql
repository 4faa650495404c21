-- Writes a rule anew, or removes it where nothing is wanted; answers what it is then. It changes only while nobody claims or ends: the lock makes every one of
-- them that is under way end first, and the next one see the rule. So it counts all that is held already, nothing begins past it, and nobody
-- keeps a time that the old one gave. Who claims or ends takes that table's share lock before any task.
--
-- It waits for nothing longer than it may keep everybody waiting, and less than deadlock_timeout: it is tried again (see change_limit).
create or replace function millrace.rewrite_limit(found_rule millrace.limit_rule, wanted millrace.limit_rule, targets jsonb, same_reach boolean)
returns millrace.limit_rule
language plpgsql
set lock_timeout = '200ms'
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
  former limit_rule := found_rule;
  lifted boolean := false;
  paced_anew boolean;
begin
  lock table limited_step in access exclusive mode;
  if wanted.name is null then
    perform lock_limit_ends(found_rule.id);
    perform free_waiters(found_rule.id, at);
    -- Ids of its states that held tasks still name are given back to nobody.
    delete from limit_state s where s.rule_id = found_rule.id;
    delete from limit_rule k where k.id = found_rule.id;
    if found_rule.kind = 'fairness' or found_rule.fifo is not null then
      perform renew_turn_handlers();
    end if;
    perform place_limits();
    perform wake_workers(false);
    return found_rule;
  end if;
  insert into limit_rule (name, kind, key_paths, input_path, capacity, strategy, unit_ms, burst, units_path, failures, window_ms, cooldown_ms, fifo, weights, default_weight, source, changed_at, changed_by)
  values (wanted.name, wanted.kind, wanted.key_paths, wanted.input_path, wanted.capacity, wanted.strategy, wanted.unit_ms, wanted.burst, wanted.units_path,
          wanted.failures, wanted.window_ms, wanted.cooldown_ms, wanted.fifo, wanted.weights, wanted.default_weight, wanted.source, at, actor())
      on conflict (name) do update
     set key_paths = excluded.key_paths, input_path = excluded.input_path, capacity = excluded.capacity, strategy = excluded.strategy, unit_ms = excluded.unit_ms, burst = excluded.burst,
         units_path = excluded.units_path, failures = excluded.failures, window_ms = excluded.window_ms, cooldown_ms = excluded.cooldown_ms,
         fifo = excluded.fifo, weights = excluded.weights, default_weight = excluded.default_weight,
         source = excluded.source, revision = limit_rule.revision + 1, changed_at = excluded.changed_at, changed_by = excluded.changed_by
  returning limit_rule.* into found_rule;

  -- An operator has the last word: over a time that a handler was told wrongly, too.
  if found_rule.source = 'operator' then
    lifted := lift_holds(found_rule.id, at);
  end if;
  -- Times are given anew where they would be others. A rate that was listed and is set again may differ in its last digits, which makes them no others.
  paced_anew := found_rule.kind = 'rate' and (
    not same_reach or lifted or found_rule.burst <> former.burst or found_rule.units_path is distinct from former.units_path
    or abs(found_rule.unit_ms - former.unit_ms) > found_rule.unit_ms / 1e9);
  if paced_anew then
    perform keep_units(former, found_rule, at);
  end if;
  if not same_reach then
    delete from limit_target g where g.rule_id = found_rule.id;
    insert into limit_target (rule_id, slug, step, queue)
    select distinct found_rule.id, t.slug, t.step, t.queue from jsonb_to_recordset(rewrite_limit.targets) t(slug text, step text, queue text);
    perform write_audit('limit.targeted', 'limit', found_rule.name, jsonb_build_object('targets', rewrite_limit.targets));
    perform link_limits(array[found_rule.id]);
    perform refuse_two_orders(found_rule);
    perform lock_limit_ends(found_rule.id);
    perform free_waiters(found_rule.id, at);
    perform count_holders(found_rule.id, at);
  elsif paced_anew then
    perform free_waiters(found_rule.id, at);
  end if;
  perform place_limits();
  perform call_waiters(array(select s.id from limit_state s where s.rule_id = found_rule.id and s.waiting order by s.id for update), at);
  perform wake_workers(false);
  return found_rule;
end $$;
comment on function millrace.rewrite_limit(millrace.limit_rule, millrace.limit_rule, jsonb, boolean) is 'Writes a rule anew, or removes it where nothing is wanted.';
