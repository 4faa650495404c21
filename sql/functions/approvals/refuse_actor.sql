-- Refuses somebody who may not decide on an approval: neither named, nor of one of its roles, nor in the place of somebody who is; or who gave
-- it away; or who has decided already. Where nobody is named, whoever may call may decide. actor_roles are what the application knows of the
-- actor; without them PostgreSQL is asked for the roles of the login itself.
create or replace function millrace.refuse_actor(asked millrace.approval, actor text, actor_roles text[]) returns void
language plpgsql stable
as $$
#variable_conflict use_column
declare
  wrong text;
begin
  wrong := case
    when length(actor) not between 1 and 200 or actor is null then 'the name of whoever decides has 1 to 200 characters'
    when exists (select from approval_decision d where d.approval_id = asked.id and d.actor = refuse_actor.actor) then format('%s has decided already', actor)
    when exists (select from approval_delegation g where g.approval_id = asked.id and g.from_actor = actor)
      then format('%s has given it to %s', actor, (select g.to_actor from approval_delegation g where g.approval_id = asked.id and g.from_actor = actor))
    when asked.people = '{}' and asked.roles = '{}' then null
    when actor = any (asked.people) then null
    when exists (select from approval_delegation g where g.approval_id = asked.id and g.to_actor = actor) then null
    when exists (select from unnest(asked.roles) needed(role)
                  where needed.role = any (actor_roles)
                     or (actor_roles is null and actor = session_user
                         and exists (select from pg_roles r where r.rolname = needed.role and pg_has_role(session_user, r.oid, 'member')))) then null
    else format('%s is neither one of its people nor of its roles', actor)
    end;
  if wrong is not null then
    raise exception 'Approval % is not yours to decide: %.', asked.id, wrong
      using errcode = 'MR021', hint = concat_ws('; ',
        case when asked.people <> '{}' then 'people: ' || array_to_string(asked.people, ', ') end,
        case when asked.roles <> '{}' then 'roles: ' || array_to_string(asked.roles, ', ') end, 'nothing was changed');
  end if;
end $$;
comment on function millrace.refuse_actor(millrace.approval, text, text[]) is 'Refuses somebody who may not decide on an approval.';
