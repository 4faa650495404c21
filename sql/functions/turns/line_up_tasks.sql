-- Judges the tasks under a rule of strict order which have come since the last time, for who holds no states yet (see line_up).
create or replace function millrace.line_up_tasks(rule_id int, at timestamptz, also_served int default null) returns boolean
language plpgsql
as $$
begin
  return millrace.line_up(line_up_tasks.rule_id, line_up_tasks.at, line_up_tasks.also_served, true);
end $$;
comment on function millrace.line_up_tasks(int, timestamptz, int) is 'Judges the tasks under a rule of strict order which have come since the last time, for who holds no states yet.';
