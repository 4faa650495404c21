-- Trigger: an approval is of the tenant of its run, whoever opens it.
create or replace function millrace.fill_tenant() returns trigger
language plpgsql
as $$
begin
  select r.tenant into new.tenant from millrace.run r where r.id = new.run_id;
  return new;
end $$;
comment on function millrace.fill_tenant() is 'Trigger: an approval is of the tenant of its run.';
