-- Gives waits the signals that came before them: one with take 'first' reads the first one ever sent, one with 'next' takes the oldest that is
-- kept. The names are locked, and so are the tasks.
create or replace function millrace.take_signals(wait_ids bigint[], at timestamptz) returns void
language plpgsql
as $$
#variable_conflict use_column
declare
  waiting wait;
  early record;
begin
  for waiting in select w.* from wait w where w.id = any (wait_ids) order by w.id loop
    loop
      select s.* into early
        from unnest(waiting.signal_names) n(name)
       cross join lateral (
         (select s.id, s.name, s.payload, s.sent_at, s.sent_by, s.run_id from signal s
           where s.run_id = waiting.run_id and s.name = n.name and (waiting.signal_take = 'first' or s.taken_at is null)
             and (waiting.signal_match is null or coalesce(s.payload, 'null') @> waiting.signal_match)
           order by s.id limit 1)
         union all
         (select s.id, s.name, s.payload, s.sent_at, s.sent_by, s.run_id from signal s
           where s.run_id is null and s.name = n.name and s.taken_at is null and waiting.signal_take = 'next'
             and (waiting.signal_match is null or coalesce(s.payload, 'null') @> waiting.signal_match)
           order by s.id limit 1)
         union all
         (select s.id, s.name, s.payload, s.sent_at, s.sent_by, s.run_id from signal s
           where s.run_id is null and s.name = n.name and waiting.signal_take = 'first'
             and (waiting.signal_match is null or coalesce(s.payload, 'null') @> waiting.signal_match)
           order by s.id limit 1)) s
       order by s.id limit 1;
      exit when not found;
      if waiting.signal_take = 'next' then
        update signal s set taken_at = greatest(at, s.sent_at), taken_by_run = waiting.run_id where s.id = early.id and s.taken_at is null;
        -- Another step took it in between.
        continue when not found;
      end if;
      perform deliver_signal(array[waiting.id], early.id, at);
      exit;
    end loop;
  end loop;
end $$;
comment on function millrace.take_signals(bigint[], timestamptz) is 'Gives waits the signals that came before them.';
