-- How long a new key is taken: as long as is asked for, at most as long as the administrator lets keys live, and that where nothing is asked for.
create or replace function millrace.key_life(lives_seconds bigint) returns interval
language plpgsql stable
as $$
declare
  days_max bigint := millrace.setting_number('key_days_max');
begin
  if coalesce(lives_seconds, 1) not between 1 and days_max * 86400 then
    -- In words that hold for the command, the option of the SDK and the argument alike.
    raise exception 'A key may live from 1 second to % days, not %.', days_max,
      case when lives_seconds > 0 and lives_seconds % 86400 = 0 then lives_seconds / 86400 || ' days' else lives_seconds || ' seconds' end
      using errcode = 'MR014', hint = 'Ask for less. How long keys of this installation may live is key_days_max in millrace.setting.';
  end if;
  return make_interval(secs => coalesce(lives_seconds, days_max * 86400));
end $$;
comment on function millrace.key_life(bigint) is 'How long a new key is taken.';
