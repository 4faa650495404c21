-- Takes what was sent out of the deliveries that started these runs, and out of all replays of them, before the runs are erased: that they were
-- received stays, so that none is accepted a second time. Answers how many.
create or replace function millrace.forget_deliveries(run_ids uuid[]) returns bigint
language plpgsql
as $$
#variable_conflict use_column
declare
  n bigint;
begin
  update millrace.delivery d
     set body = null, sealed_body = null, body_digest = null, headers = '{}', source_ip = null, problem = null
   where d.id = any (array(
     select o.id
       from (select distinct coalesce(m.replay_of, m.id) as first_id from millrace.delivery_run l join millrace.delivery m on m.id = l.delivery_id
              where l.run_id = any (run_ids)) f
      cross join lateral (select f.first_id as id union all select r.id from millrace.delivery r where r.replay_of = f.first_id) o
      order by o.id));
  get diagnostics n = row_count;
  return n;
end $$;
comment on function millrace.forget_deliveries(uuid[]) is 'Takes what was sent out of the deliveries that started these runs; answers how many.';
