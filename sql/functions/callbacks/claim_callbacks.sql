-- Takes the next deliveries that are due, for as long as one attempt may last: after that another worker may, so that what a worker died over is
-- sent again, under the same id. Answers what is to be sent. Of an encrypted pipeline that is no more than which run ended, and how.
create or replace function millrace.claim_callbacks(batch int, seconds int default 60)
returns table (id uuid, claim int, url text, secret text, sent_at timestamptz, body jsonb)
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
  claimed uuid[];
begin
  perform refuse_copied_database();
  if (claim_callbacks.batch between 1 and 1000) is not true then
    perform refuse_argument('batch', 'from 1 to 1,000', claim_callbacks.batch::text);
  end if;
  with due as (
    select d.id, c.disabled_at is not null as is_disabled
      from callback_delivery d left join callback c on c.id = d.callback_id
     where d.due_at <= at order by d.due_at limit claim_callbacks.batch for update of d skip locked
  ), taken as (
    update callback_delivery d
       set due_at = case when not g.is_disabled then at + make_interval(secs => claim_callbacks.seconds) end,
           claims = d.claims + case when g.is_disabled then 0 else 1 end,
           given_up_at = case when g.is_disabled then at end,
           reason = case when g.is_disabled then 'its callback is disabled' end
      from due g where d.id = g.id
    returning d.id, d.due_at
  )
  select array_agg(t.id) into claimed from taken t where t.due_at is not null;
  return query
    select d.id, d.claims, d.url, d.secret, at,
           jsonb_build_object('id', d.id, 'type', 'run.' || d.ended, 'timestamp', to_char(d.ended_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
             'data', jsonb_build_object('run', d.run_id, 'pipeline', r.slug, 'state', d.ended) || case
               when v.is_encrypted then '{}'
               else jsonb_strip_nulls(jsonb_build_object('tenant', r.tenant, 'error', case when d.error_code is not null then jsonb_build_object('code', d.error_code) end))
                 || case when d.ended <> 'completed' or r.state <> 'completed' then '{}'
                         when octet_length(r.output::text) > 500000 then '{"output_too_large": true}'
                         else jsonb_build_object('output', coalesce(r.output, 'null')) end
               end)
      from callback_delivery d
      join run r on r.id = d.run_id
      join pipeline_version v on v.slug = r.slug and v.version = r.version
     where d.id = any (claimed);
end $$;
comment on function millrace.claim_callbacks(int, int) is 'Takes the next deliveries that are due, and answers what is to be sent.';
