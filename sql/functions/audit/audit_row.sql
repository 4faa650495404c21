-- Trigger: tells the audit trail of a row that was made, changed or removed. Its arguments: the noun, the column that names the subject, and the
-- columns, with commas between, whose values are never told. An update that only notes who changed the row, and when, is none.
create or replace function millrace.audit_row() returns trigger
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  was jsonb := case when tg_op <> 'INSERT' then to_jsonb(old) end;
  is_now jsonb := case when tg_op <> 'DELETE' then to_jsonb(new) end;
  hidden text[] := string_to_array(coalesce(tg_argv[2], ''), ',');
  changed text[];
begin
  changed := array(
    select c.key from jsonb_each(coalesce(is_now, was)) c
     where c.key <> all (array['changed_at', 'changed_by', 'updated_at', 'revision'])
       and case when tg_op = 'UPDATE' then c.value <> was -> c.key else c.value <> 'null' end);
  if changed <> '{}' then
    perform write_audit(tg_argv[0] || case tg_op when 'INSERT' then '.created' when 'UPDATE' then '.changed' else '.removed' end,
                        tg_argv[0], coalesce(is_now, was) ->> tg_argv[1], '{}', told_row(was, changed, hidden), told_row(is_now, changed, hidden));
  end if;
  return null;
end $$;
comment on function millrace.audit_row() is 'Trigger: tells the audit trail of a row that was made, changed or removed.';
