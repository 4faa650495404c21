-- Who asks for the own tenant, with the roles that it is said to have: the person of act_for_tenant or of the token, as current_tenant reads them, or else
-- the database role itself, whose roles PostgreSQL knows.
create or replace function millrace.application_user(out person text, out roles text[])
language plpgsql stable security definer set search_path = millrace, pg_temp
as $$
declare
  claims jsonb;
begin
  if pg_has_role(session_user, 'millrace_gateway', 'member') then
    if current_setting('millrace.tenant_at', true) = transaction_stamp() then
      person := nullif(current_setting('millrace.person', true), '');
      roles := coalesce(string_to_array(nullif(current_setting('millrace.person_roles', true), ''), E'\n'), '{}');
      return;
    end if;
    claims := claims_of_request();
    if claims is not null then
      person := nullif(claim_text(claims, 'person_claim'), '');
      roles := claim_texts(claims, 'roles_claim');
      return;
    end if;
  end if;
  person := asking_role();
end $$;
comment on function millrace.application_user() is 'Who asks for the own tenant, with the roles that it is said to have.';
