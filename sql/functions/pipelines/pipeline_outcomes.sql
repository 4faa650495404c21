-- How the runs of each version went that were made since a time: of those among which starts are split, and of the active one. Without a time
-- it is that of the split's last change, or a week ago. Runs that named their version are counted with the others.
create or replace function millrace.pipeline_outcomes(slug text, since timestamptz default null)
returns table (version int, weight int, share float8, runs int, live int, completed int, failed int, cancelled int, median_ms float8)
language plpgsql stable security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  told pipeline;
  begin_at timestamptz;
begin
  select p.* into told from pipeline p where p.slug = pipeline_outcomes.slug;
  if not found then
    raise exception 'There is no pipeline ''%''.', pipeline_outcomes.slug using errcode = 'MR002', hint = 'List the pipelines with: npx millrace pipeline list';
  end if;
  begin_at := coalesce(pipeline_outcomes.since, told.split_at, millrace.now() - interval '7 days');
  return query
    select v.version, s.weight,
           case when told.split_path is null then 1::float8
                else (select count(*) from pipeline_bucket b where b.slug = told.slug and b.version = v.version) / 1000.0::float8 end,
           counted.runs, counted.live, counted.completed, counted.failed, counted.cancelled, counted.median_ms
      from pipeline_version v
      left join pipeline_share s on s.slug = v.slug and s.version = v.version
     cross join lateral (
       select count(*)::int as runs, (count(*) filter (where r.finished_at is null))::int as live,
              (count(*) filter (where r.state = 'completed'))::int as completed, (count(*) filter (where r.state = 'failed'))::int as failed,
              (count(*) filter (where r.state = 'cancelled'))::int as cancelled,
              percentile_cont(0.5) within group (order by extract(epoch from r.finished_at - r.started_at) * 1000) filter (where r.state = 'completed') as median_ms
         from run r
        where r.slug = v.slug and r.version = v.version and r.id >= uuid_floor(begin_at) and r.created_at >= begin_at) counted
     where v.slug = told.slug and (s.version is not null or (told.split_path is null and v.version = told.active_version))
     order by v.version;
end $$;
comment on function millrace.pipeline_outcomes(text, timestamptz) is 'How the runs of each version went among which the starts of a pipeline are split.';
