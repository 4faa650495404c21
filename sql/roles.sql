-- The roles of Millrace: groups without login. Give one to a login of yours: grant millrace_worker to app;
--
-- They belong to the whole cluster. The migrator runs what is still missing, and prints it where it may not.
-- A login does not inherit a setting of its group, so repeat the bound for logins that come through a pooler:
-- alter role app set statement_timeout = '60s';

create role millrace_viewer nologin;
create role millrace_operator nologin;
create role millrace_worker nologin;
create role millrace_admin nologin;

-- Owns the audit trail, and has no other right: nobody is a member of it.
create role millrace_trail nologin;

-- Application users, who see what belongs to their own tenant; and logins that are trusted to say for which of them they speak (docs/tenants.md).
create role millrace_tenant nologin;
create role millrace_gateway nologin;

-- Everybody may read; an admin may do all that operators and workers may.
grant millrace_viewer to millrace_operator;
grant millrace_viewer to millrace_worker;
grant millrace_operator to millrace_admin;
grant millrace_worker to millrace_admin;

alter role millrace_viewer set statement_timeout = '30s';
alter role millrace_tenant set statement_timeout = '30s';
alter role millrace_operator set statement_timeout = '60s';
alter role millrace_worker set statement_timeout = '60s';
alter role millrace_admin set statement_timeout = '10min';
