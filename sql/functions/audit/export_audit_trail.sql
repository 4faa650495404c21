-- The chain from a position on, with the text of each entry as it was hashed: whoever has it can check it without the database.
create or replace function millrace.export_audit_trail(after bigint default 0, most int default 1000)
returns table ("position" bigint, hash text, entry text)
language sql stable security definer set search_path = millrace, pg_temp
as $$
  select s.position, encode(s.hash, 'hex'), audit_text(e)
    from audit_seal s join audit_entry e on e.id = s.entry_id
   where s.position > export_audit_trail.after
   order by s.position limit least(most, 10000)
$$;
comment on function millrace.export_audit_trail(bigint, int) is 'The chain from a position on, with the text of each entry as it was hashed.';
