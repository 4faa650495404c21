-- The statements that take away what is installed of a watch: its triggers wherever they are, and its functions.
create or replace function millrace.watch_remains(watch_id int) returns setof text
language sql stable
as $$
  (select format('drop trigger %I on %s', t.tgname, millrace.qualified_name(t.tgrelid))
     from pg_trigger t where t.tgname ~ format('^millrace_%s_(insert|update|delete|truncate|moves|moved|mixes|mixed)$', watch_id) and not t.tgisinternal and t.tgparentid = 0 order by 1)
  union all
  (select format('drop function millrace.%I(%s)', p.proname, pg_get_function_identity_arguments(p.oid))
     from pg_proc p where p.pronamespace = 'millrace'::regnamespace
      and (p.proname = format('capture_%s', watch_id) or p.proname ~ format('^backfill_%s_[0-9]+$', watch_id)) order by 1)
$$;
comment on function millrace.watch_remains(int) is 'The statements that take away what is installed of a watch.';
