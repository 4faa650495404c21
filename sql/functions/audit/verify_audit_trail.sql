-- Recomputes the chain behind a position, or behind the last export where that came further. Answers how far it came, the hash there, and at most
-- twenty faults. At the end of the chain (more is false) it also names entries that were never sealed, and entries that vanished before they were.
-- With most = 0 it checks nothing, and answers with where it would begin.
create or replace function millrace.verify_audit_trail(after bigint default null, most int default 1000)
returns table (through bigint, hash text, faults jsonb, more boolean)
language plpgsql stable security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  previous bytea;
  found_seal record;
  wanted int := greatest(0, least(most, 10000));
  seen int := 0;
  first_position bigint;
begin
  faults := '[]';
  select x.position, x.hash into first_position, previous from audit_export x order by x.position desc limit 1;
  through := greatest(coalesce(after, 0), coalesce(first_position, 0));
  if through > coalesce(first_position, 0) then
    select s.hash into previous from audit_seal s where s.position = through;
  end if;
  for found_seal in
    select s.position, s.hash, s.entry_id, audit_text(e) as text
      from audit_seal s left join audit_entry e on e.id = s.entry_id where s.position > through order by s.position limit wanted
  loop
    seen := seen + 1;
    if found_seal.position <> through + 1 then
      faults := faults || jsonb_build_object('position', through + 1, 'fault', 'missing');
    elsif found_seal.text is null then
      faults := faults || jsonb_build_object('position', found_seal.position, 'entry', found_seal.entry_id, 'fault', 'entry_missing');
    elsif found_seal.hash <> audit_hash(previous, found_seal.text) then
      faults := faults || jsonb_build_object('position', found_seal.position, 'entry', found_seal.entry_id, 'fault', 'changed');
    end if;
    through := found_seal.position;
    previous := found_seal.hash;
    exit when jsonb_array_length(faults) >= 20;
  end loop;
  more := seen = wanted and jsonb_array_length(faults) < 20;
  if not more then
    faults := faults || coalesce((
      select jsonb_agg(jsonb_build_object('entry', e.id, 'fault', e.fault) order by e.id)
        from (select e.id, 'unsealed' as fault from audit_entry e
               where not exists (select from audit_seal s where s.entry_id = e.id) and not exists (select from audit_unsealed u where u.entry_id = e.id)
               union all
              select u.entry_id, 'entry_missing' from audit_unsealed u where not exists (select from audit_entry e where e.id = u.entry_id)
               order by 1 limit 20) e), '[]');
  end if;
  hash := coalesce(encode(previous, 'hex'), repeat('0', 64));
  return next;
end $$;
comment on function millrace.verify_audit_trail(bigint, int) is 'Reckons a part of the chain anew, and answers what is wrong with it.';
