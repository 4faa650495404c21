-- Takes the next failed runs of a redrive, whose row is locked by the caller, and writes down what became of each. A batch that fails as a whole is
-- done again run by run: what is wrong with one refuses that one alone, and what somebody has at hand, or what fails for a lack that passes, stays open
-- for a later turn. What may as well be for good has a hundred of them.
create or replace function millrace.settle_redrive(asked millrace.redrive, most int, waiting boolean, at timestamptz) returns int
language plpgsql
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  runs uuid[];
  ats timestamptz[];
  turns int[];
  answered uuid[] := array[]::uuid[];
  made uuid[] := array[]::uuid[];
  reasons text[] := array[]::text[];
  details text[] := array[]::text[];
  tried uuid[];
  settled uuid[];
  done_now int;
  refused_now int;
  busy int := 0;
  answer record;
begin
  select array_agg(i.run_id), array_agg(i.failed_at), array_agg(i.tries) into runs, ats, turns
    from (select run_id, failed_at, tries from redrive_item where redrive_id = asked.id and state = 'open' order by tries, run_id limit most) i;
  if runs is null then
    -- What is missing in the counts was erased before its turn came.
    update redrive d set input = null, finished_at = at where d.id = asked.id and d.finished_at is null;
    return 0;
  end if;
  tried := runs;
  begin
    select coalesce(array_agg(r.run_id), '{}'), coalesce(array_agg(r.new_run_id), '{}'), coalesce(array_agg(r.reason), '{}'), coalesce(array_agg(r.detail), '{}')
      into answered, made, reasons, details from redrive_runs(asked, runs, ats, waiting, at) r;
  exception when others then
    for n in 1 .. cardinality(runs) loop
      begin
        for answer in select r.* from redrive_runs(asked, runs[n:n], ats[n:n], waiting, at) r loop
          answered := answered || answer.run_id;
          made := made || answer.new_run_id;
          reasons := reasons || answer.reason;
          details := details || answer.detail;
        end loop;
      exception when others then
        if is_sure_to_pass(sqlstate) or is_passing_fault(sqlstate) and turns[n] < 100 then
          busy := busy + 1;
          if busy = 3 then
            tried := runs[:n];
            exit;
          end if;
        else
          answered := answered || runs[n];
          made := made || null::uuid;
          reasons := reasons || 'error'::text;
          details := details || left(sqlerrm, 1000);
        end if;
      end;
    end loop;
  end;
  -- What goes on itself is most of it, and needs no join; what was tried and got no answer is looked at again after the others.
  settled := array(select g.id from unnest(answered, made, reasons) g(id, made, reason) where g.made is null and g.reason is null);
  update redrive_item i set state = 'done', tries = i.tries + 1 where i.run_id = any (settled) and i.redrive_id = asked.id;
  if cardinality(settled) < cardinality(runs) then
    update redrive_item i
       set state = case when g.reason is null then 'done' else 'refused' end, tries = i.tries + 1, reason = g.reason, detail = g.detail, new_run_id = g.made
      from unnest(answered, made, reasons, details) g(id, made, reason, detail)
     where i.run_id = any (answered) and i.redrive_id = asked.id and i.run_id = g.id and (g.made is not null or g.reason is not null);
    update redrive_item i set tries = i.tries + 1 where i.run_id = any (tried) and i.redrive_id = asked.id and i.state = 'open';
  end if;
  refused_now := (select count(*) from unnest(reasons) reason where reason is not null);
  done_now := cardinality(answered) - refused_now;
  update redrive d
     set done = d.done + done_now, refused = d.refused + refused_now,
         paced_at = case when d.rate is null then at else greatest(d.paced_at, at - redrive_burst(d.rate)) + make_interval(secs => (done_now + refused_now) / d.rate) end,
         input = case when d.done + done_now + d.refused + refused_now < d.total then d.input end,
         finished_at = case when d.done + done_now + d.refused + refused_now = d.total then at end
   where d.id = asked.id;
  return done_now + refused_now;
end $$;
comment on function millrace.settle_redrive(millrace.redrive, int, boolean, timestamptz) is 'Takes the next failed runs of a redrive, and writes down what became of each.';
