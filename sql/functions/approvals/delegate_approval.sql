-- Somebody who may decide on an approval lets another decide in his place, and no longer may himself. Whoever gave it to him gets
-- it back; nobody else gets it with whom it would end.
create or replace function millrace.delegate_approval(
  id uuid, to_actor text, actor text default session_user, actor_roles text[] default null) returns void
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
  asked approval;
begin
  asked := lock_approval(delegate_approval.id, at);
  perform refuse_actor(asked, delegate_approval.actor, delegate_approval.actor_roles);
  if (length(delegate_approval.to_actor) between 1 and 200 and delegate_approval.to_actor <> delegate_approval.actor) is not true then
    perform refuse_argument('to_actor', 'the name of somebody else', quote_literal(left(delegate_approval.to_actor, 200)));
  end if;
  -- Given back: then the former owner decides himself again.
  delete from approval_delegation g
   where g.approval_id = asked.id and g.from_actor = delegate_approval.to_actor and g.to_actor = delegate_approval.actor;
  if not found then
    perform refuse_delegate(asked.id, delegate_approval.actor, delegate_approval.to_actor);
    insert into approval_delegation (approval_id, from_actor, to_actor, created_at)
    values (asked.id, delegate_approval.actor, delegate_approval.to_actor, at);
  end if;
  perform write_event(asked.run_id, 'approval.delegated', jsonb_build_object(
    'name', asked.name, 'approval', asked.id, 'by', delegate_approval.actor, 'to', delegate_approval.to_actor), asked.step, asked.item);
  perform write_audit('approval.delegated', 'approval', asked.id::text, jsonb_build_object(
    'run', asked.run_id, 'name', asked.name, 'by', delegate_approval.actor, 'to', delegate_approval.to_actor));
end $$;
comment on function millrace.delegate_approval(uuid, text, text, text[]) is 'Lets somebody else decide on an approval in the actor''s place.';
