-- Puts values of secrets that were encrypted anew into their place, where that still holds what was read. Answers how many were written.
create or replace function millrace.write_sealed_secrets(names text[], versions int[], olds jsonb[], news jsonb[]) returns int
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  written int;
begin
  update secret_version v set value = g.new
    from unnest(names, versions, olds, news) g(name, version, old, new)
   where v.name = g.name and v.version = g.version and v.value = g.old;
  get diagnostics written = row_count;
  return written;
end $$;
comment on function millrace.write_sealed_secrets(text[], int[], jsonb[], jsonb[]) is 'Puts values of secrets that were encrypted anew into their place.';
