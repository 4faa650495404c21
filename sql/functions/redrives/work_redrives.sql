-- Carries out some of what people ordered to be redriven: one batch of the oldest redrive that has something to do now. Any worker may call it: the
-- lock on the redrive's row lets one at a time work on it, and who finds it locked goes to the next. Answers how many runs were looked at, and
-- whether there is more to do at once.
create or replace function millrace.work_redrives(most int default 200)
returns table (worked int, more boolean)
language plpgsql security definer set search_path = millrace, pg_temp
set lock_timeout = '500ms'
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
  candidate uuid;
  asked redrive;
  allowed int;
begin
  perform refuse_copied_database();
  if (most between 1 and 10000) is not true then
    perform refuse_argument('most', 'from 1 to 10,000', most::text);
  end if;
  worked := 0;
  more := false;
  -- Locked one at a time: a loop over locked rows would take ten at once from the others.
  for candidate in select d.id from redrive d where d.finished_at is null order by d.created_at, d.id loop
    select d.* into asked from redrive d where d.id = candidate and d.finished_at is null for update skip locked;
    continue when not found;
    allowed := case when asked.rate is null then most
                    else least(most, floor(extract(epoch from at - greatest(asked.paced_at, at - redrive_burst(asked.rate))) * asked.rate + 0.000001)) end;
    continue when allowed < 1;
    worked := settle_redrive(asked, allowed, false, at);
    more := asked.rate is null and worked > 0 and exists (select from redrive_item i where i.redrive_id = asked.id and i.state = 'open');
    exit when worked > 0;
  end loop;
  return next;
end $$;
comment on function millrace.work_redrives(int) is 'Carries out a batch of what people ordered to be redriven.';
