-- The claims of the token with which the request came, as PostgREST sets them once it has verified it; null where there are none that can be read.
create or replace function millrace.claims_of_request() returns jsonb
language plpgsql stable
as $$
declare
  claims jsonb;
begin
  claims := nullif(current_setting('request.jwt.claims', true), '')::jsonb;
  return case when jsonb_typeof(claims) = 'object' then claims end;
exception when others then
  return null::jsonb;
end $$;
comment on function millrace.claims_of_request() is 'The claims of the token with which the request came; null where there are none.';
