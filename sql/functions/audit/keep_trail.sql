-- Trigger: the audit trail is only added to. What goes is old, and was exported by the hash that the export ends with (see prune_audit_trail); so nothing
-- younger, and nothing that the chain does not hold, can be said to have been exported.
create or replace function millrace.keep_trail() returns trigger
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  old_before timestamptz := millrace.now() - interval '90 days';
  exported bigint;
  told jsonb;
begin
  if tg_op = 'INSERT' then
    told := to_jsonb(new);
    if exists (select from audit_seal s where s.position = (told ->> 'position')::bigint and s.hash = (told ->> 'hash')::bytea)
       and not exists (select from audit_seal s join audit_entry e on e.id = s.entry_id where s.position <= (told ->> 'position')::bigint and e.at >= old_before) then
      return new;
    end if;
  elsif tg_op = 'DELETE' and tg_table_name <> 'audit_export' then
    select coalesce(max(x.position), 0) into exported from audit_export x;
    if tg_table_name = 'audit_seal' and (to_jsonb(old) ->> 'position')::bigint <= exported
         and not exists (select from audit_entry e where e.id = (to_jsonb(old) ->> 'entry_id')::bigint)
       or tg_table_name = 'audit_entry' and (to_jsonb(old) ->> 'at')::timestamptz < old_before and exists (
         select from audit_seal s where s.entry_id = (to_jsonb(old) ->> 'id')::bigint and s.position <= exported) then
      return old;
    end if;
  end if;
  raise exception 'The audit trail can only be added to: % on % is refused.', tg_op, tg_table_name
    using errcode = 'MR170', hint = 'What was exported may go: npx millrace audit-trail prune FILE';
end $$;
comment on function millrace.keep_trail() is 'Trigger: the audit trail is only added to.';
