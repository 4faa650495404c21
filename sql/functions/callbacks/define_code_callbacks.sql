-- Keeps the callbacks that the code of a worker declares for its pipelines, as a set: what the code doesn't declare any more is told nothing from now on.
-- One that stays the same keeps its row, and stays disabled where its address is gone.
create or replace function millrace.define_code_callbacks(callbacks jsonb, slugs text[]) returns void
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
  of_slug text;
  given jsonb;
begin
  if slugs is null or array_position(slugs, null) is not null then
    perform refuse_argument('slugs', 'a list of pipelines', slugs::text);
  end if;
  if jsonb_typeof(define_code_callbacks.callbacks) is distinct from 'object' then
    perform refuse_argument('callbacks', 'an object of lists by pipeline', left(define_code_callbacks.callbacks::text, 100));
  end if;
  -- In one order, so that two who start at once don't wait for each other in a circle.
  for of_slug in select distinct s from unnest(slugs) s order by s loop
    given := coalesce(define_code_callbacks.callbacks -> of_slug, '[]');
    perform check_callbacks(given);
    delete from callback k where k.slug = of_slug
       and not exists (select from jsonb_to_recordset(given) c(url text) where c.url = k.url);
    insert into callback as k (slug, url, ends, secret, created_at, created_by)
    select of_slug, c.url, callback_ends(c.events), c.secret, at, actor()
      from jsonb_to_recordset(given) c(url text, events jsonb, secret text) order by c.url
        on conflict (run_id, slug, url) do update set ends = excluded.ends, secret = excluded.secret
     where (k.ends, k.secret) is distinct from (excluded.ends, excluded.secret);
  end loop;
end $$;
comment on function millrace.define_code_callbacks(jsonb, text[]) is 'Keeps the callbacks that code declares for its pipelines, as a set.';
