-- Says of requests of agents that they have expired, and takes away those that were asked more than 90 days ago.
create or replace function millrace.prune_agent_requests(batch int, at timestamptz) returns boolean
language plpgsql
as $$
#variable_conflict use_column
declare
  deleted int;
begin
  update agent_request r set state = 'expired' where r.id = any (array(
    select o.id from agent_request o where o.state = 'open' and o.expires_at <= prune_agent_requests.at
     limit prune_agent_requests.batch for update skip locked));
  delete from agent_request r where r.id = any (array(
    select old.id from agent_request old where old.asked_at < prune_agent_requests.at - interval '90 days'
     order by old.asked_at limit prune_agent_requests.batch));
  get diagnostics deleted = row_count;
  return deleted >= prune_agent_requests.batch;
end $$;
comment on function millrace.prune_agent_requests(int, timestamptz) is 'Says which requests of agents have expired, and takes away those older than 90 days; true where there is more.';
