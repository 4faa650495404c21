-- Removes what was exported, up to a position whose hash the caller shows, and of that only what is older than 90 days: a batch at a time, until more is
-- false. That it was done is an entry itself, and the hash stays, so that the chain goes on from it.
create or replace function millrace.prune_audit_trail("position" bigint, hash text, batch int default 1000)
returns table (through bigint, removed int, more boolean)
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
  old_before timestamptz := at - interval '90 days';
  pruned bigint;
  removed_entries bigint[];
begin
  perform pg_advisory_xact_lock(77422, 6);
  select coalesce(max(x.position), 0) into pruned from audit_export x;
  if prune_audit_trail."position" > pruned and not exists (
       select from audit_seal s where s.position = prune_audit_trail."position" and s.hash = decode(prune_audit_trail.hash, 'hex')) then
    raise exception 'The audit trail has no entry at position % with this hash, so nothing was removed.', prune_audit_trail."position"
      using errcode = 'MR171', hint = 'Export it anew, and keep the file.';
  end if;
  -- Only a run of old ones from the beginning: what is left is whole.
  through := (
    select coalesce(min(s.position) - 1, prune_audit_trail."position") from audit_seal s join audit_entry e on e.id = s.entry_id
     where s.position > pruned and s.position <= prune_audit_trail."position" and e.at >= old_before);
  if through > pruned then
    insert into audit_export (position, hash, exported_at, exported_by)
    select s.position, s.hash, at, actor() from audit_seal s where s.position = through;
    perform write_audit('audit_trail.pruned', 'audit_trail', through::text, jsonb_build_object('after', pruned, 'through', through));
  end if;
  through := greatest(through, pruned);
  removed_entries := array(select s.entry_id from audit_seal s where s.position <= through order by s.position limit greatest(1, least(batch, 10000)));
  delete from audit_entry e where e.id = any (removed_entries);
  delete from audit_seal s where s.entry_id = any (removed_entries);
  removed := cardinality(removed_entries);
  more := exists (select from audit_seal s where s.position <= through);
  return next;
end $$;
comment on function millrace.prune_audit_trail(bigint, text, int) is 'Removes what was exported and is older than 90 days, a batch at a time.';
