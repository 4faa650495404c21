-- Frees the places at the head of strict orders that nobody keeps any more. The states are locked by the caller.
create or replace function millrace.free_heads(state_ids bigint[], at timestamptz) returns void
language plpgsql
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
as $$
#variable_conflict use_column
begin
  update limit_state s set head_run = null, head_step = null, head_item = null, head_since = null, changed_at = at
    from limit_rule k
   where s.id = any (state_ids) and s.head_run is not null and k.id = s.rule_id and not keeps_head(s, k.fifo);
end $$;
comment on function millrace.free_heads(bigint[], timestamptz) is 'Frees the places at the head of strict orders that nobody keeps any more.';
