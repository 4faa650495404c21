-- The delay in milliseconds that an error asks for itself: retry_after_ms, or retry_at, a time that the database's clock is compared with. Null
-- where it asks for none, or for none that could be read: this is part of recording a failure, and never raises.
create or replace function millrace.stated_delay(error jsonb, at timestamptz) returns float8
language plpgsql stable
as $$
begin
  if jsonb_typeof(error -> 'retry_after_ms') = 'number' then
    return greatest(0, least((error ->> 'retry_after_ms')::numeric, 31536000000));
  end if;
  if jsonb_typeof(error -> 'retry_at') = 'string' then
    return greatest(0, least(extract(epoch from (error ->> 'retry_at')::timestamptz - at) * 1000, 31536000000));
  end if;
  return null;
exception when data_exception then
  return null;
end $$;
comment on function millrace.stated_delay(jsonb, timestamptz) is 'The delay in milliseconds that an error asks for itself.';
