-- The states of strict orders at whose head some task of these runs is, in the order of their ids. Found by the keys of the tasks: nothing leads from a run to them.
create or replace function millrace.find_heads(run_ids uuid[]) returns bigint[]
language plpgsql stable
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
as $$
#variable_conflict use_column
begin
  if not exists (select from millrace.limit_rule k where k.fifo is not null) then
    return array[]::bigint[];
  end if;
  return array(
    select distinct s.id
      from (select t.run_id, t.step_id, t.item, t.item_value from millrace.task t where t.run_id = any (run_ids)
            union all
            select w.run_id, w.step_id, w.item, w.item_value from millrace.waiting_task w where w.run_id = any (run_ids)) o
      join millrace.run u on u.id = o.run_id
      join millrace.limited_step l on l.step_id = o.step_id join millrace.limit_rule k on k.id = l.rule_id and k.fifo is not null
      join millrace.limit_state s on s.rule_id = k.id and s.key = millrace.limit_key(k.key_paths, k.input_path, u.input, o.item_value, u.tenant)
     where s.head_run = o.run_id and s.head_step = o.step_id and s.head_item = o.item
     order by s.id);
end $$;
comment on function millrace.find_heads(uuid[]) is 'The states of strict orders at whose head some task of these runs is.';
