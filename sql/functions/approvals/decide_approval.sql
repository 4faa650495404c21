-- Somebody decides on an approval, once. One rejection rejects it; it is approved when as many as its quorum have approved. What comes too
-- late, or from somebody who may not, is refused with the reason.
create or replace function millrace.decide_approval(
  id uuid, decision text, value jsonb default null, comment text default null, actor text default session_user, actor_roles text[] default null)
returns table (state text, approvals int, quorum int)
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
  asked approval;
  deciders text[];
begin
  if (decide_approval.decision in ('approve', 'reject')) is not true then
    perform refuse_argument('decision', 'approve or reject', quote_literal(left(decide_approval.decision, 100)));
  end if;
  asked := lock_approval(decide_approval.id, at);
  perform refuse_actor(asked, decide_approval.actor, decide_approval.actor_roles);
  insert into approval_decision (approval_id, actor, decision, value, comment, decided_at, decided_via)
  values (asked.id, decide_approval.actor, decide_approval.decision, decide_approval.value, decide_approval.comment, at, actor());
  perform write_event(asked.run_id, 'approval.decided', jsonb_strip_nulls(jsonb_build_object(
    'name', asked.name, 'approval', asked.id, 'by', decide_approval.actor, 'decision', decide_approval.decision, 'comment', decide_approval.comment)),
    asked.step, asked.item);
  perform write_audit('approval.decided', 'approval', asked.id::text, jsonb_build_object(
    'run', asked.run_id, 'name', asked.name, 'by', decide_approval.actor, 'decision', decide_approval.decision));

  select array_agg(d.actor order by d.decided_at, d.actor) into deciders from approval_decision d
   where d.approval_id = asked.id and d.decision = decide_approval.decision;
  quorum := asked.quorum;
  approvals := case when decide_approval.decision = 'approve' then cardinality(deciders)
                    else (select count(*) from approval_decision d where d.approval_id = asked.id and d.decision = 'approve') end;
  state := case when decide_approval.decision = 'reject' then 'rejected' when approvals >= asked.quorum then 'approved' else 'open' end;
  if state <> 'open' then
    update approval a set state = decide_approval.state, decided_at = greatest(at, a.created_at) where a.id = asked.id;
    perform resolve_waits(array[w.id], array[jsonb_build_object('state', decide_approval.state, 'by', to_jsonb(deciders),
                            'value', decide_approval.value, 'comment', decide_approval.comment)], null, at)
       from wait w join step_definition d on d.id = w.step_id
      where w.run_id = asked.run_id and w.item = asked.item and w.name = asked.name and d.step = asked.step;
  end if;
  return next;
end $$;
comment on function millrace.decide_approval(uuid, text, jsonb, text, text, text[]) is 'Somebody decides on an approval, once.';
