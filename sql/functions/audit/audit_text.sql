-- An entry as the chain hashes it, and as it is exported: the same text whatever the session's settings are.
create or replace function millrace.audit_text(entry millrace.audit_entry) returns text
language sql stable
as $$
  select (to_jsonb(entry) || jsonb_build_object('at', to_char(entry.at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')))::text
$$;
comment on function millrace.audit_text(millrace.audit_entry) is 'An entry as the chain hashes it, and as it is exported.';
