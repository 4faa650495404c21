-- Refuses starts of encrypted pipelines whose input came in the clear: it would lie there for everybody to read.
create or replace function millrace.refuse_clear_inputs(slugs text[], versions int[], inputs jsonb[]) returns void
language plpgsql stable
as $$
declare
  bad text;
begin
  select g.slug into bad
    from unnest(slugs, versions, inputs) g(slug, version, input)
    join millrace.pipeline_version v on v.slug = g.slug and v.version = g.version and v.is_encrypted
   where not millrace.is_sealed(g.input)
   limit 1;
  if found then
    raise exception 'Pipeline ''%'' is encrypted, and a start of it came with an input in the clear.', bad
      using errcode = 'MR050', hint = 'Start it by the SDK, the HTTP API or the command line, where a key ring is given.';
  end if;
end $$;
comment on function millrace.refuse_clear_inputs(text[], int[], jsonb[]) is 'Refuses starts of encrypted pipelines whose input came in the clear.';
