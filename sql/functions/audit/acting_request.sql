-- What the server said of the request in whose name this transaction acts: kind and id of the actor, address, program, correlation id. Nothing, where
-- nobody said anything that can be read.
create or replace function millrace.acting_request() returns jsonb
language plpgsql stable
as $$
declare
  told jsonb;
begin
  told := nullif(current_setting('millrace.request', true), '')::jsonb;
  return case when jsonb_typeof(told) = 'object' then told else '{}'::jsonb end;
exception when others then
  return '{}'::jsonb;
end $$;
comment on function millrace.acting_request() is 'What the server said of the request in whose name this transaction acts.';
