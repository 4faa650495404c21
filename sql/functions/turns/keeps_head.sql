-- Whether the task that was first in a strict order keeps its place: it is under way, or ready to go on; and where it blocks the others, also while it
-- waits, for its next try, a signal or whatever else. Who has ended, or whose run has, keeps none.
create or replace function millrace.keeps_head(state millrace.limit_state, fifo text) returns boolean
language plpgsql stable
set enable_seqscan = off
as $$
begin
  return fifo is not null and state.head_run is not null
     and (state.used > 0
          or (select true from millrace.task t where t.run_id = state.head_run and t.step_id = state.head_step and t.item = state.head_item limit 1) is not null
          or (fifo = 'block' and (select true from millrace.waiting_task w
                                   where w.run_id = state.head_run and w.step_id = state.head_step and w.item = state.head_item limit 1) is not null));
end $$;
comment on function millrace.keeps_head(millrace.limit_state, text) is 'Whether the task that was first in a strict order keeps its place.';
