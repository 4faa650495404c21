-- Tells the worker whose pass came upon something that can't be worked off: that is left for later, and the pass goes on with the rest. Workers log
-- it; to the server's own log it is not worth a line each time.
create or replace function millrace.tell_set_aside(what text, state text, reason text) returns void
language plpgsql
as $$
begin
  raise notice '% was set aside: % (%)', what, reason, state using errcode = 'MR196';
end $$;
comment on function millrace.tell_set_aside(text, text, text) is 'Tells a worker what its pass left for later, and why.';
