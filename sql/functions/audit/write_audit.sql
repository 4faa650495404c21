-- Adds an entry to the audit trail, in the transaction of what it tells. The login is the one that is connected, whatever it says of itself.
create or replace function millrace.write_audit(
  action text, subject_kind text, subject text, detail jsonb default '{}', before jsonb default null, after jsonb default null) returns void
language plpgsql
as $$
#variable_conflict use_column
declare
  request jsonb := acting_request();
  named text := nullif(left(current_setting('millrace.actor', true), 200), '');
begin
  with written as (
    insert into millrace.audit_entry (at, login, actor, actor_kind, actor_id, agent, address, user_agent, correlation_id, action, subject_kind, subject, before, after, detail)
    values (millrace.now(), session_user, named, nullif(left(request ->> 'kind', 40), ''), nullif(left(request ->> 'id', 200), ''), nullif(left(request ->> 'agent', 40), ''),
            coalesce(nullif(left(request ->> 'address', 100), ''), case when named is null then host(inet_client_addr()) end),
            nullif(left(request ->> 'user_agent', 200), ''), nullif(left(request ->> 'correlation_id', 100), ''),
            write_audit.action, write_audit.subject_kind, left(coalesce(write_audit.subject, ''), 500), write_audit.before, write_audit.after,
            coalesce(jsonb_strip_nulls(write_audit.detail), '{}'))
    returning id
  )
  insert into millrace.audit_unsealed (entry_id) select w.id from written w;
end $$;
comment on function millrace.write_audit(text, text, text, jsonb, jsonb, jsonb) is 'Adds an entry to the audit trail, in the transaction of what it tells.';
