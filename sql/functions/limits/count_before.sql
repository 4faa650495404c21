-- How many ready tasks in the lanes of a rule begin before a given one: of those that a live worker serves and that are not paused, at most 10,000.
create or replace function millrace.count_before(told millrace.task, rule_id int, at timestamptz) returns bigint
language plpgsql stable
as $$
declare
  served int[] := millrace.unpaused_handlers(millrace.served_handlers(at));
begin
  return (
    select count(*)
      from (select
              from (select distinct l.handler from millrace.limited_step l where l.rule_id = count_before.rule_id and l.handler = any (served)) h
              join millrace.task t on t.handler = h.handler and t.worker_id is null and t.turn_key is null and (t.priority, t.id) < (told.priority, told.id)
             limit 10000) before);
end $$;
comment on function millrace.count_before(millrace.task, int, timestamptz) is 'How many ready tasks in the lanes of a rule begin before a given one.';
