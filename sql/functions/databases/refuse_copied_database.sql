-- Refuses in a copy what would run something: its runs, schedules and callbacks belong to the database that it came from until somebody enables it.
create or replace function millrace.refuse_copied_database() returns void
language plpgsql
as $$
begin
  if millrace.is_copied_database() then
    raise exception 'Database % is a copy of another one, and nothing runs in it.', current_database()
      using errcode = 'MR195', hint = 'If its runs, schedules and callbacks are to go on here, say so with: npx millrace database enable';
  end if;
end $$;
comment on function millrace.refuse_copied_database() is 'Refuses to run anything in a copy of a database that nobody has enabled.';
