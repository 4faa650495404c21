-- Has addresses told of the end of runs: in the transaction of their start, or later. A run that has ended is told of at once; its row is locked,
-- so that it can't end unseen in between. The same address for the same run is one callback.
create or replace function millrace.add_callbacks(run_ids uuid[], callbacks jsonb) returns int
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
  added int;
  missing uuid;
begin
  perform check_callbacks(add_callbacks.callbacks);
  if run_ids is null or cardinality(run_ids) not between 1 and 10000 or array_position(run_ids, null) is not null then
    perform refuse_argument('run_ids', 'a list of 1 to 10,000 ids of runs', cardinality(run_ids)::text);
  end if;
  perform 1 from run r where r.id = any (run_ids) order by r.id for update;
  select g.id into missing from unnest(run_ids) g(id) where not exists (select from run r where r.id = g.id) limit 1;
  if found then
    raise exception 'There is no run %.', missing using errcode = 'MR006', hint = 'List the runs with: npx millrace run list';
  end if;
  insert into callback (run_id, url, ends, secret, created_at, created_by)
  select g.id, c.url, callback_ends(c.events), c.secret, at, actor()
    from unnest(run_ids) g(id) cross join jsonb_to_recordset(add_callbacks.callbacks) c(url text, events jsonb, secret text)
      on conflict (run_id, slug, url) do nothing;
  get diagnostics added = row_count;
  if added > 0 then
    perform queue_callbacks(run_ids, at, false);
  end if;
  return added;
end $$;
comment on function millrace.add_callbacks(uuid[], jsonb) is 'Has addresses told of the end of runs; answers how many callbacks are new.';
