-- Which database this is, so that a copy of it runs nothing by itself. Of each worker it is noted as well: a lease counts where it was taken.

alter table millrace.worker add column database text collate "C" not null default '';
comment on column millrace.worker.database is 'The database in which it registered (this_database): in a copy its lease is void. Empty: of none.';

do $$
declare
  here text := 'unknown/' || (select d.oid from pg_database d where d.datname = current_database());
begin
  begin
    here := (select c.system_identifier from pg_control_system() c) || '/' || split_part(here, '/', 2);
  exception when insufficient_privilege or feature_not_supported or undefined_function then
    null;
  end;
  update millrace.worker set database = here where state <> 'gone';
  insert into millrace.setting (name, value) values ('home', to_jsonb(here)) on conflict (name) do nothing;
end $$;
