-- Which database this is: the number that its cluster was given when it was made, and its own in there. A dump that is restored, and a database made
-- from a template, have another one; a server that was started again, and a standby that took over, the same. A backend never changes its database,
-- so it is asked once in each; this is read with every claim. Where the server tells nobody its number, the second one alone has to do.
create or replace function millrace.this_database() returns text
language plpgsql volatile
as $$
declare
  here text := nullif(current_setting('millrace.this_database', true), '');
begin
  if here is null then
    here := 'unknown/' || (select d.oid from pg_database d where d.datname = current_database());
    begin
      here := (select c.system_identifier from pg_control_system() c) || '/' || split_part(here, '/', 2);
    exception when insufficient_privilege or feature_not_supported or undefined_function then
      null;
    end;
    perform set_config('millrace.this_database', here, false);
  end if;
  return here;
end $$;
comment on function millrace.this_database() is 'Which database this is: the number of its cluster, and its own in there.';
