-- Refuses to delegate an approval to somebody with whom it would end: who has decided already, or gave it away, and others on, so that it came to the very
-- one who has it now. In such a circle nobody could decide, and nobody give it back.
create or replace function millrace.refuse_delegate(approval_id uuid, actor text, to_actor text) returns void
language plpgsql stable
as $$
#variable_conflict use_column
begin
  if exists (select from approval_decision d where d.approval_id = refuse_delegate.approval_id and d.actor = refuse_delegate.to_actor) then
    perform refuse_argument('to_actor', 'somebody who has not decided yet', quote_literal(refuse_delegate.to_actor));
  end if;
  if exists (
    with recursive onward as (
      select refuse_delegate.to_actor as holder
      union
      select g.to_actor from onward o join approval_delegation g on g.approval_id = refuse_delegate.approval_id and g.from_actor = o.holder)
    select from onward o where o.holder = refuse_delegate.actor) then
    perform refuse_argument('to_actor', format('whoever gave it to %L, or somebody from whom it did not come', refuse_delegate.actor),
                            quote_literal(refuse_delegate.to_actor));
  end if;
end $$;
comment on function millrace.refuse_delegate(uuid, text, text) is 'Refuses to delegate an approval to somebody with whom it would end.';
