-- What a ready task waits for whose step takes several at once: how many are there of its key, and when it waits for no others.
create or replace function millrace.tell_batch(told_task bigint, definition millrace.step_definition, subject text, at timestamptz)
returns table (sentence text, due_at timestamptz)
language plpgsql stable
as $$
#variable_conflict use_column
declare
  mine record;
begin
  select b.key, b.is_full, b.due_at, cardinality(b.task_ids) as n into mine
    from find_batches(definition, 1000) b where told_task = any (b.task_ids);
  due_at := mine.due_at;
  sentence := case
    when mine.n is null then format('%s is behind others of its step, which is given up to %s at once.', subject, definition.batch_size)
    when mine.is_full or mine.due_at <= at then format('%s is in the next batch that a worker with a free slot takes, of %s.', subject, mine.n)
    else format('%s waits until %s are there%s, or until %s; now there %s.', subject, definition.batch_size,
           case when definition.batch_key is null then '' else format(' of ''%s''', mine.key) end, tell_time(mine.due_at),
           case mine.n when 1 then 'is 1' else 'are ' || mine.n end) end;
  return next;
end $$;
comment on function millrace.tell_batch(bigint, millrace.step_definition, text, timestamptz) is 'What a ready task waits for whose step takes several at once.';
