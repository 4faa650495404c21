-- What a step waits for, in words for its attempt: at most three things.
create or replace function millrace.tell_waits(run_id uuid, step_id int, item int) returns text
language sql stable
as $$
  select string_agg(told.words, ', ' order by told.n) filter (where told.n <= 3)
         || case when count(*) > 3 then format(' and %s more', count(*) - 3) else '' end
    from (
      select row_number() over (order by w.place, w.id) as n,
             case w.kind
               when 'sleep' then 'sleeps until ' || millrace.tell_time(w.due_at)
               when 'signal' then 'waits for signal ' || array_to_string(w.signal_names, ' or ')
               when 'approval' then 'waits for approval ' || w.name
               when 'call' then case when w.child_run is not null then 'waits for run ' || w.child_run
                                     else format('waits for %s runs', w.children_left) end
               when 'http' then 'waits for the answer of ' || w.name
             end as words
        from millrace.wait w
       where w.run_id = tell_waits.run_id and w.step_id = tell_waits.step_id and w.item = tell_waits.item) told
$$;
comment on function millrace.tell_waits(uuid, int, int) is 'What a step waits for, in words.';
