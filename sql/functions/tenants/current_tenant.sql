-- The tenant of whoever asks, for the policies: they call it in a sub-select, which is evaluated once a statement. What can't be made up decides, and null,
-- to which no row belongs, is the answer in doubt:
--
-- A login that is a member of millrace_gateway, such as PostgREST's or an application's own, is trusted to know whom it speaks for. It says so for one
-- transaction by act_for_tenant, or by the claims of a token that it has verified (request.jwt.claims, as PostgREST sets them). Such a login runs no SQL of
-- its users, who could say anything there.
-- Everybody else is of the tenant to which their role is assigned, as long as that is one.
create or replace function millrace.current_tenant() returns text
language plpgsql stable security definer set search_path = millrace, pg_temp
as $$
declare
  claims jsonb;
begin
  if pg_has_role(session_user, 'millrace_gateway', 'member') then
    -- What outlived its transaction says nothing: a pooler hands sessions on.
    if current_setting('millrace.tenant_at', true) = transaction_stamp() then
      return nullif(current_setting('millrace.tenant', true), '');
    end if;
    claims := claims_of_request();
    if claims is not null then
      return nullif(claim_text(claims, 'tenant_claim'), '');
    end if;
  end if;
  return (
    select min(r.tenant) from millrace.tenant_role r join pg_roles known on known.rolname = r.role_name
     where pg_has_role(asking_role(), known.oid, 'usage') having count(distinct r.tenant) = 1);
end $$;
comment on function millrace.current_tenant() is 'The tenant of whoever asks; null where it can''t be told.';
