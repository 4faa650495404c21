-- The ids of the states of rules and keys, in the order given; made first where there are none yet, but for who is not patient: then they are null.
-- Looked up one by one: no statistics lead the planner to read all the keys of a rule.
--
-- Who makes one locks all that it asks for, and what it says that it will lock besides, in the order of their ids, seats first (see lock_limit_states):
-- a claim that makes states has them locked when it comes to the next one (see claim_fitting). A state may get its seats while its lock is waited for:
-- then all is let go and locked anew, because whoever ends has a seat when it comes to its states.
create or replace function millrace.find_limit_states(rule_ids int[], keys text[], patient boolean, at timestamptz, others bigint[] default '{}') returns bigint[]
language plpgsql
as $$
#variable_conflict use_column
declare
  made record;
  found_ids bigint[];
  asked_ids bigint[];
  seated_ids bigint[];
begin
  found_ids := array(
    select (select s.id from limit_state s where s.rule_id = u.rule_id and s.key = u.key)
      from unnest(rule_ids, keys) with ordinality u(rule_id, key, n) order by u.n);
  if not patient or array_position(found_ids, null) is null then
    return found_ids;
  end if;
  asked_ids := found_ids || others;
  loop
    begin
      seated_ids := array(select e.state_id from limit_end e where e.state_id = any (asked_ids) order by e.state_id, e.seat for update);
      for made in
        select distinct coalesce(u.id, case when s.id is null then limit_state_id(u.rule_id, u.key) else limit_state_id(u.rule_id, u.key, 1) end) as id,
               u.id is null as is_new, u.rule_id, u.key
          from (select * from unnest(rule_ids, keys, found_ids) u(rule_id, key, id)
                union all select null, null, o.id from unnest(others) o(id) where o.id > 0) u
          left join limit_state s on u.id is null and s.id = limit_state_id(u.rule_id, u.key) and (s.rule_id, s.key) <> (u.rule_id, u.key)
         order by 1
      loop
        if made.is_new then
          insert into limit_state (id, rule_id, key, changed_at) values (made.id, made.rule_id, made.key, at) on conflict do nothing;
        end if;
        perform from limit_state s where s.id = made.id for update;
      end loop;
      exit when not exists (select from limit_end e where e.state_id = any (asked_ids) and e.state_id <> all (seated_ids));
      raise no_data_found;
    exception when no_data_found then
      continue;
    end;
  end loop;
  return array(
    select (select s.id from limit_state s where s.rule_id = u.rule_id and s.key = u.key)
      from unnest(rule_ids, keys) with ordinality u(rule_id, key, n) order by u.n);
end $$;
comment on function millrace.find_limit_states(int[], text[], boolean, timestamptz, bigint[]) is 'The ids of the states of rules and keys, made where there are none.';
