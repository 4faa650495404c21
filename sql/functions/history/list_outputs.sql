-- The outputs of a run, one for each final step, and for each item of a map that is; in the order of their steps' names and of the items, behind a position.
-- A page ends before it holds more than so many bytes, but never without one output: a map may have given gigabytes. The last row says whether there is more.
create or replace function millrace.list_outputs(run_id uuid, after_step text default null, after_item int default null, most int default 50, bytes_most int default 8388608)
returns table (step text, item int, outcome text, output jsonb, more boolean)
language plpgsql stable security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  found_output record;
  held int := 0;
  bytes bigint := 0;
begin
  if (list_outputs.most between 1 and 1000) is not true then
    perform refuse_argument('most', 'between 1 and 1000', list_outputs.most::text);
  end if;
  more := false;
  for found_output in
    select distinct on (a.step, a.item) a.step, a.item, a.outcome, a.output from attempt a
     where a.run_id = list_outputs.run_id and is_last_attempt(a.outcome, a.item, a.retry_at)
       and (after_step is null or (a.step, a.item) > (after_step, coalesce(after_item, -1)))
     order by a.step, a.item, a.attempt desc limit list_outputs.most + 1
  loop
    bytes := bytes + coalesce(octet_length(found_output.output::text), 0);
    more := held = list_outputs.most or (held > 0 and bytes > bytes_most);
    if held > 0 then
      return next;
    end if;
    exit when more;
    held := held + 1;
    step := found_output.step;
    item := found_output.item;
    outcome := found_output.outcome;
    output := found_output.output;
  end loop;
  if held > 0 and not more then
    return next;
  end if;
end $$;
comment on function millrace.list_outputs(uuid, text, int, int, int) is 'The outputs of a run, one for each final step and item, a page at a time.';
