-- Entries of the audit trail, the newest first. Each filter is passed over where it is null; planned for those that are given, so that one subject is read by its index.
create or replace function millrace.list_audit_entries(
  actor text default null, action text default null, subject_kind text default null, subject text default null,
  since timestamptz default null, until timestamptz default null, before_id bigint default null, most int default 50)
returns table (
  id bigint, at timestamptz, login text, actor_name text, actor_kind text, actor_id text, agent text, address text, user_agent text, correlation_id text,
  action_name text, kind text, subject_name text, before jsonb, after jsonb, detail jsonb, "position" bigint)
language plpgsql stable security definer set search_path = millrace, pg_temp
set plan_cache_mode = force_custom_plan
as $$
#variable_conflict use_column
begin
  return query
  select e.id, e.at, e.login, e.actor, e.actor_kind, e.actor_id, e.agent, e.address, e.user_agent, e.correlation_id,
         e.action, e.subject_kind, e.subject, e.before, e.after, e.detail, s.position
    from audit_entry e left join audit_seal s on s.entry_id = e.id
   where (list_audit_entries.actor is null or e.actor = list_audit_entries.actor or e.login = list_audit_entries.actor)
     and (list_audit_entries.action is null or e.action = list_audit_entries.action)
     and (list_audit_entries.subject_kind is null or e.subject_kind = list_audit_entries.subject_kind)
     and (list_audit_entries.subject is null or e.subject = list_audit_entries.subject)
     and (list_audit_entries.since is null or e.at >= list_audit_entries.since) and (list_audit_entries.until is null or e.at < list_audit_entries.until)
     and (list_audit_entries.before_id is null or e.id < list_audit_entries.before_id)
   order by e.id desc limit least(list_audit_entries.most, 1000);
end $$;
comment on function millrace.list_audit_entries(text, text, text, text, timestamptz, timestamptz, bigint, int) is 'Entries of the audit trail, the newest first.';
