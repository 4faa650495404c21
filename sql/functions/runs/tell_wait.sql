-- The reason and the sentence on what a parked task waits for: its oldest wait, with how many others may end it as well.
create or replace function millrace.tell_wait(told_run uuid, told_step int, told_item int, subject text)
returns table (reason text, sentence text)
language plpgsql stable
as $$
#variable_conflict use_column
declare
  first record;
  asked record;
  what text;
begin
  select w.*, count(*) over () as total into first from millrace.wait w
   where w.run_id = told_run and w.step_id = told_step and w.item = told_item order by w.id limit 1;
  case first.kind
  when 'sleep' then
    reason := 'sleep';
    what := format('sleeps until %s', millrace.tell_time(first.due_at));
  when 'signal' then
    reason := 'signal';
    what := format('waits for %s %s', case when cardinality(first.signal_names) > 1 then 'one of the signals' else 'signal' end,
                   millrace.step_list(first.signal_names));
  when 'approval' then
    reason := 'approval';
    select a.id, a.title, a.roles || a.people as asked_of into asked from millrace.approval a join millrace.step_definition d on d.id = told_step
     where a.run_id = told_run and a.step = d.step and a.item = told_item and a.name = first.name and a.state = 'open';
    what := format('waits for approval %s%s%s', asked.id, ', ' || quote_literal(left(asked.title, 100)),
                   case when asked.asked_of <> '{}' then ', by ' || array_to_string(asked.asked_of, ', ') else '' end);
  when 'call' then
    reason := 'child';
    what := case when first.child_run is not null
                 then coalesce((select format('waits for run %s of ''%s'', which is %s', r.id, r.slug, r.state) from millrace.run r where r.id = first.child_run),
                               format('waits for run %s', first.child_run))
                 else format('waits for %s of the runs that it called', first.children_left) end;
  when 'http' then
    reason := 'http';
    what := 'waits for the answer that its endpoint promised';
  else
    reason := 'waking';
    what := 'is about to go on';
  end case;
  sentence := format('%s %s%s%s.', subject, what,
    case when first.kind <> 'sleep' and first.due_at is not null then format(', until %s at the latest', millrace.tell_time(first.due_at)) else '' end,
    case when first.total > 2 then format(', or for something of %s others', first.total - 1)
         when first.total = 2 then ', or for another thing' else '' end);
  return next;
end $$;
comment on function millrace.tell_wait(uuid, int, int, text) is 'The reason and the sentence on what a parked task waits for.';
