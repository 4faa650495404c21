-- Has the run that goes on in the place of another one told of instead. What is queued of the other one stays, unless that only ended to go on.
create or replace function millrace.hand_on_callbacks(of_run uuid, new_run uuid, was_continued boolean) returns void
language plpgsql
as $$
#variable_conflict use_column
begin
  if was_continued then
    delete from millrace.callback_delivery d using millrace.run r
     where d.run_id = hand_on_callbacks.of_run and r.id = hand_on_callbacks.of_run and d.ended_at = r.finished_at and d.claims = 0;
  end if;
  update millrace.callback c set run_id = hand_on_callbacks.new_run where c.run_id = hand_on_callbacks.of_run;
end $$;
comment on function millrace.hand_on_callbacks(uuid, uuid, boolean) is 'Has the run that goes on in the place of another one told of instead.';
