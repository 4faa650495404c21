-- Puts entries that have been committed into the chain, one sealer at a time; a second one leaves it to the first. What commits later comes later: the
-- order of the chain is that in which entries were seen. Answers how many.
create or replace function millrace.seal_audit_trail(batch int default 1000) returns int
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
  last_position bigint;
  last_hash bytea;
  sealed int := 0;
  entry audit_entry;
begin
  if not exists (select from audit_unsealed) or not pg_try_advisory_xact_lock(77422, 6) then
    return 0;
  end if;
  select s.position, s.hash into last_position, last_hash
    from (select position, hash from audit_seal union all select position, hash from audit_export) s order by s.position desc limit 1;
  for entry in
    select e.* from audit_unsealed u join audit_entry e on e.id = u.entry_id order by e.id limit greatest(1, least(batch, 10000))
  loop
    last_position := coalesce(last_position, 0) + 1;
    last_hash := audit_hash(last_hash, audit_text(entry));
    insert into audit_seal (position, entry_id, hash, sealed_at) values (last_position, entry.id, last_hash, at);
    delete from audit_unsealed u where u.entry_id = entry.id;
    sealed := sealed + 1;
  end loop;
  return sealed;
end $$;
comment on function millrace.seal_audit_trail(int) is 'Puts entries that have been committed into the chain; answers how many.';
