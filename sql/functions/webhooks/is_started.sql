-- Whether a delivery that failed, or one of its replays that did, has got a run of this pipeline all the same: then judging it once more starts only
-- what is missing.
create or replace function millrace.is_started(delivery uuid, slug text) returns boolean
language sql stable
as $$
  select is_started.delivery is not null and exists (
    select from millrace.delivery d join millrace.delivery_run l on l.delivery_id = d.id
     where d.id = any (array(select o.id from millrace.delivery o where o.id = is_started.delivery
                             union all
                             select o.id from millrace.delivery o where o.replay_of = is_started.delivery))
       and d.state = 'failed' and l.pipeline = is_started.slug and l.run_id is not null)
$$;
comment on function millrace.is_started(uuid, text) is 'Whether a delivery that failed has got a run of this pipeline all the same.';
