-- Puts what was encrypted anew into its place, where that still holds what was read: whatever changed meanwhile stays. Answers how many places were
-- written.
create or replace function millrace.write_sealed(
  run_ids uuid[], places text[], steps text[], items int[], names text[], numbers bigint[], olds jsonb[], news jsonb[]) returns int
language plpgsql security definer set search_path = millrace, pg_temp
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off
as $$
#variable_conflict use_column
declare
  given record;
  n int;
  written int := 0;
begin
  if exists (select from unnest(news) v where v is null or not jsonb_path_exists(v, '$.**."$encrypted"')) then
    perform refuse_argument('news', 'encrypted', 'in the clear');
  end if;
  for given in
    select * from unnest(run_ids, places, steps, items, names, numbers, olds, news) g(run_id, place, step, item, name, number, old, new)
     order by g.place, g.run_id, g.step, g.item, g.name, g.number
  loop
    case given.place
      when 'run.input' then update run r set input = given.new where r.id = given.run_id and r.input = given.old;
      when 'run.output' then update run r set output = given.new where r.id = given.run_id and r.output = given.old;
      when 'run.error' then update run r set error = given.new where r.id = given.run_id and r.error = given.old;
      when 'run.outcome_error' then update run r set outcome_error = given.new where r.id = given.run_id and r.outcome_error = given.old;
      when 'attempt.output' then
        update attempt a set output = given.new
         where a.run_id = given.run_id and a.step = given.step and a.item = given.item and a.attempt = given.number and a.output = given.old;
      when 'attempt.error' then
        update attempt a set error = given.new
         where a.run_id = given.run_id and a.step = given.step and a.item = given.item and a.attempt = given.number and a.error = given.old;
      when 'checkpoint.value' then
        update checkpoint c set value = given.new
         where c.run_id = given.run_id and c.step = given.step and c.item = given.item and c.name = given.name and c.value = given.old;
      when 'checkpoint.error' then
        update checkpoint c set error = given.new
         where c.run_id = given.run_id and c.step = given.step and c.item = given.item and c.name = given.name and c.error = given.old;
      when 'stream_part.value' then
        update stream_part p set value = given.new where p.run_id = given.run_id and p.position = given.number and p.value = given.old;
      when 'event.detail' then
        update event e set detail = given.new where e.run_id = given.run_id and e.id = given.number and e.detail = given.old;
      when 'dead_letter.error' then
        update dead_letter l set error = given.new where l.run_id = given.run_id and l.error = given.old;
      when 'firing.error' then
        update firing f set error = given.new where f.id = given.number and f.run_id = given.run_id and f.error = given.old;
      else
        perform refuse_argument('places', 'as read_sealed answers them', given.place);
    end case;
    get diagnostics n = row_count;
    written := written + n;
  end loop;
  return written;
end $$;
comment on function millrace.write_sealed(uuid[], text[], text[], int[], text[], bigint[], jsonb[], jsonb[])
  is 'Puts what was encrypted anew into its place, where that still holds what was read.';
