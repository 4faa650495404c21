-- What keeps the trail from being changed is itself no secret: the owner of its tables, whether that one can log in, and which row triggers are off: its own,
-- and those that write to it.
create or replace function millrace.audit_guards()
returns table (owner text, owner_logs_in boolean, triggers_off text[])
language sql stable security definer set search_path = millrace, pg_temp
as $$
  select min(r.rolname::text), bool_or(r.rolcanlogin),
         array(select format('%s.%s', guarded.relname, wanted.name)
                 from unnest(array['audit_entry', 'audit_seal', 'audit_export']) t(name)
                cross join unnest(array['kept', 'kept_whole']) wanted(name)
                 join pg_class guarded on guarded.relname = t.name and guarded.relnamespace = 'millrace'::regnamespace
                where not exists (select from pg_trigger g where g.tgrelid = guarded.oid and g.tgname = wanted.name and g.tgenabled = 'A')
                 union all
                select format('%s.%s', told.relname, g.tgname)
                  from pg_trigger g join pg_class told on told.oid = g.tgrelid
                 where g.tgfoid = 'millrace.audit_row'::regproc and g.tgenabled not in ('O', 'A')
                 order by 1)
    from pg_class c join pg_roles r on r.oid = c.relowner
   where c.relnamespace = 'millrace'::regnamespace and c.relname in ('audit_entry', 'audit_seal', 'audit_export')
$$;
comment on function millrace.audit_guards() is 'Whose the audit trail is, and which of its guards are off.';
