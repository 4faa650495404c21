-- How long a new key is taken: as long as is asked for, at most as long as the administrator lets keys live, and that where nothing is asked for.
create or replace function millrace.key_life(lives_seconds bigint) returns interval
language plpgsql stable
as $$
declare
  days_max int := coalesce((select (s.value #>> '{}')::int from millrace.setting s where s.name = 'key_days_max'), 90);
begin
  if coalesce(lives_seconds, 1) not between 1 and days_max * 86400::bigint then
    perform millrace.refuse_argument('lives_seconds', format('from 1 to %s, which is %s days', days_max * 86400::bigint, days_max), lives_seconds::text);
  end if;
  return make_interval(secs => coalesce(lives_seconds, days_max * 86400::bigint));
end $$;
comment on function millrace.key_life(bigint) is 'How long a new key is taken.';
