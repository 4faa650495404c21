-- Refuses a list of callbacks that can't be right. Whether an address may be called is judged by who calls it: here it must only be one, and hold
-- no password, which would be stored in the clear.
create or replace function millrace.check_callbacks(callbacks jsonb) returns void
language plpgsql immutable
as $$
declare
  given jsonb;
begin
  if jsonb_typeof(callbacks) is distinct from 'array' or jsonb_array_length(callbacks) > 10 then
    perform millrace.refuse_argument('callbacks', 'a list of at most 10',
      case when jsonb_typeof(callbacks) = 'array' then format('one of %s', jsonb_array_length(callbacks)) else 'no list' end);
  end if;
  if (select count(*) > count(distinct c ->> 'url') from jsonb_array_elements(callbacks) c) then
    perform millrace.refuse_argument('callbacks', 'a list of different addresses', 'two to the same one');
  end if;
  for given in select c from jsonb_array_elements(callbacks) c loop
    if (given ->> 'url' ~ '^https?://[^/?#@\\]+([/?#]|$)' and length(given ->> 'url') <= 2000) is not true then
      perform millrace.refuse_argument('url', 'an address like https://hooks.example.com/runs, without a user or a password', 'that one');
    end if;
    if (length(given ->> 'secret') between 1 and 200) is not true then
      perform millrace.refuse_argument('secret', 'the name of a secret', given ->> 'secret');
    end if;
    if (jsonb_typeof(given -> 'events') = 'array' and given -> 'events' <@ '["completed", "failed", "cancelled"]' and given -> 'events' <> '[]') is false then
      perform millrace.refuse_argument('events', 'some of completed, failed and cancelled', left(given ->> 'events', 100));
    end if;
  end loop;
end $$;
comment on function millrace.check_callbacks(jsonb) is 'Refuses a list of callbacks that can''t be right.';
