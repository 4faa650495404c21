-- An endpoint answers later, by the token that came with its request. A token that is wrong, used or too late is refused in the same words: it
-- says nothing about which runs there are.
create or replace function millrace.complete_wait(token text, result jsonb default null, error jsonb default null) returns void
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  given_hash bytea := sha256(convert_to(coalesce(complete_wait.token, ''), 'UTF8'));
  found_wait wait;
begin
  select w.* into found_wait from wait w where w.token_hash = given_hash;
  if found then
    perform lock_waits(array[found_wait.id]);
    perform 1 from wait w
      where w.id = found_wait.id and w.token_hash = given_hash
        and (exists (select from waiting_task t where t.run_id = w.run_id and t.step_id = w.step_id and t.item = w.item)
          or exists (select from task t where t.run_id = w.run_id and t.step_id = w.step_id and t.item = w.item))
        for update;
  end if;
  if not found then
    raise exception 'The completion token is unknown, or was used already.'
      using errcode = 'MR017', hint = 'A token completes its request once, and only in time.';
  end if;
  perform resolve_waits(array[found_wait.id], array[complete_wait.result], array[complete_wait.error], millrace.now());
end $$;
comment on function millrace.complete_wait(text, jsonb, jsonb) is 'An endpoint answers later, by its token.';
