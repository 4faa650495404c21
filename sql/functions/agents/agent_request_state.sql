-- The state of a request of an agent as it is now: an open one has expired once its time is over, also before anybody has written that down.
create or replace function millrace.agent_request_state(state text, expires_at timestamptz) returns text
language sql stable
as $$
  select case when agent_request_state.state = 'open' and agent_request_state.expires_at <= millrace.now() then 'expired' else agent_request_state.state end
$$;
comment on function millrace.agent_request_state(text, timestamptz) is 'The state of a request of an agent as it is now.';
