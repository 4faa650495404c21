-- The run that goes on in the place of another one is from now on the one that an event started: what it emits comes about by the same subscriptions.
create or replace function millrace.hand_on_event_starts(of_run uuid, new_run uuid) returns void
language sql
as $$
  update millrace.event_start set run_id = hand_on_event_starts.new_run where run_id = hand_on_event_starts.of_run
$$;
comment on function millrace.hand_on_event_starts(uuid, uuid) is 'The run that goes on in the place of another one is the one that an event started.';
