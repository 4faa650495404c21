-- Whether a failure of starts puts their events off, whole, to a later time. What may as well be for good does so for some minutes, and then costs no
-- more than the starts of which it is so.
create or replace function millrace.is_put_off(state text, event_ids bigint[]) returns boolean
language sql stable
as $$
  select millrace.is_sure_to_pass(is_put_off.state)
      or millrace.is_passing_fault(is_put_off.state)
         and exists (select from millrace.emitted_event e where e.id = any (is_put_off.event_ids) and e.tries < 10)
$$;
comment on function millrace.is_put_off(text, bigint[]) is 'Whether a failure of starts puts their events off to a later time.';
