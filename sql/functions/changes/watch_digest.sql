-- What tells one installation of a watch from another: the digest of all statements that make it.
create or replace function millrace.watch_digest(watched millrace.change_watch) returns text
language sql stable
as $$
  select encode(sha256(convert_to(string_agg(s, E'\n' order by s), 'UTF8')), 'hex') from watch_statements(watched) s
$$;
comment on function millrace.watch_digest(millrace.change_watch) is 'What tells one installation of a watch from another.';
