-- Application users: they see the runs and approvals of their own tenant, and decide on those approvals, under row security.

create table millrace.tenant_role (
  role_name name primary key,
  tenant text collate "C" not null check (length(tenant) between 1 and 200),
  assigned_at timestamptz not null,
  assigned_by text not null
);
comment on table millrace.tenant_role is 'Whose tenant a database role is: its members see what belongs to that.';
create index tenant_role_tenant on millrace.tenant_role (tenant);
alter table millrace.tenant_role enable row level security;
create trigger audited after insert or update or delete on millrace.tenant_role
  for each row execute function millrace.audit_row('tenant_role', 'role_name');

insert into millrace.setting (name, value) values
  ('tenant_claim', '["tenant"]'),
  ('person_claim', '["sub"]'),
  ('roles_claim', '["roles"]');

alter table millrace.approval add column tenant text collate "C";
update millrace.approval a set tenant = r.tenant from millrace.run r where r.id = a.run_id and r.tenant is not null;
comment on column millrace.approval.tenant is 'That of its run: row security asks for it, and needs no look at the run.';
create index approval_of_tenant on millrace.approval (tenant, created_at) where tenant is not null;
-- A call that began before this migration goes on with the function that it began with, which knows no tenant.
create trigger of_run before insert on millrace.approval for each row when (new.tenant is null) execute function millrace.fill_tenant();
-- The planner's estimates would tell a user with SQL of its own what stands in the titles of other tenants. The change of its type, to what it is, drops what
-- was gathered so far.
alter table millrace.approval alter column title type text, alter column title set statistics 0;

-- Without tenant and key: whoever may name a column in a condition can ask the planner how often a value stands in it.
create view millrace.own_run with (security_invoker = true) as
  select id, slug as pipeline, version, state, priority, input, output, error, created_at, available_at, started_at, finished_at, paused_at
    from millrace.run;
comment on view millrace.own_run is 'The runs of one''s own tenant, for application users.';
create view millrace.own_approval with (security_invoker = true) as
  select id, run_id, step, item, name, state, title, data, roles, people, quorum, form, created_at, expires_at, decided_at
    from millrace.approval;
comment on view millrace.own_approval is 'The approvals of one''s own tenant, for application users.';
