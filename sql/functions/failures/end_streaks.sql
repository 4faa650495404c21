-- Ends the failures in a row of the run keys, or pipelines, of which these runs ended well. What is paused stays so until somebody resumes it.
create or replace function millrace.end_streaks(run_ids uuid[]) returns void
language plpgsql
as $$
#variable_conflict use_column
declare
  ended bigint[];
begin
  ended := array(
    select s.id from failure_streak s
     where exists (select from run r where r.id = any (run_ids) and r.slug = s.slug and r.key is not distinct from s.key
                      and (r.key is null or r.tenant is not distinct from s.tenant))
     order by s.slug, s.key, s.tenant for update);
  delete from failure_streak s where s.id = any (ended) and s.paused_at is null;
  update failure_streak s set failures = 0 where s.id = any (ended) and s.failures > 0;
end $$;
comment on function millrace.end_streaks(uuid[]) is 'Ends the failures in a row of the run keys or pipelines of which these runs ended well.';
