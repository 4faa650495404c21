-- Trigger: a run that ended failed or cancelled is listed as that.
create or replace function millrace.list_unsuccessful() returns trigger
language plpgsql
as $$
begin
  insert into millrace.unsuccessful_run (run_id, slug, state) values (new.id, new.slug, new.state)
      on conflict (run_id) do update set state = excluded.state;
  return null;
end $$;
comment on function millrace.list_unsuccessful() is 'Trigger: a run that ended failed or cancelled is listed as that.';
