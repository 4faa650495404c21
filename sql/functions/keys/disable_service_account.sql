-- Disables a service account, so that all its keys are refused within a second, or enables it again. False where it was so already.
create or replace function millrace.disable_service_account(name text, disabled boolean default true) returns boolean
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
  was_disabled boolean;
begin
  select a.disabled_at is not null into was_disabled from service_account a where a.name = disable_service_account.name for update;
  if not found then
    raise exception 'There is no service account ''%''.', disable_service_account.name
      using errcode = 'MR152', hint = 'npx millrace service-account list shows which there are.';
  end if;
  update service_account a
     set disabled_at = case when disabled then at end, disabled_by = case when disabled then actor() end
   where a.name = disable_service_account.name and was_disabled <> disabled;
  return was_disabled <> disabled;
end $$;
comment on function millrace.disable_service_account(text, boolean) is 'Disables a service account with all its keys, or enables it again.';
