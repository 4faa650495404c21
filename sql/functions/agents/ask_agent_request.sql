-- An agent asks people for an operation. What it has asked already, and what is still open, is answered with that request: agents repeat themselves.
-- So many open ones an agent may have, and no more: people are to read them.
create or replace function millrace.ask_agent_request(
  id uuid, operation text, asked jsonb, digest bytea, why text, asker jsonb, tenant text, pipeline text, run_id uuid, valid_seconds int default 86400)
returns table (request uuid, created boolean)
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
  open_max constant int := 100;
begin
  if (ask_agent_request.valid_seconds between 60 and 604800) is not true then
    perform refuse_argument('valid_seconds', 'between 60 and 604800', ask_agent_request.valid_seconds::text);
  end if;
  -- As it is kept: an operation may take more than people are to read.
  if octet_length(ask_agent_request.asked::text) > 1048576 then
    perform refuse_argument('asked', 'of at most 1,048,576 bytes', 'of ' || octet_length(ask_agent_request.asked::text));
  end if;
  -- One question of an agent after the other, so that neither the number nor the digest is judged by two at once.
  perform pg_advisory_xact_lock(hashtext('millrace.agent_request'), hashtext(ask_agent_request.asker ->> 'id'));
  update agent_request r set state = 'expired'
   where r.asker_id = ask_agent_request.asker ->> 'id' and r.state = 'open' and r.expires_at <= at;
  select r.id into request from agent_request r
   where r.asker_id = ask_agent_request.asker ->> 'id' and r.digest = ask_agent_request.digest and r.state = 'open';
  created := not found;
  if created then
    if (select count(*) from agent_request r where r.asker_id = ask_agent_request.asker ->> 'id' and r.state = 'open') >= open_max then
      raise exception 'The agent has % requests open already.', open_max
        using errcode = 'MR180', detail = jsonb_build_object('limit', open_max)::text;
    end if;
    insert into agent_request (id, operation, asked, digest, why, asker_id, asker_name, asked_by, bound_tenant, bound_pipelines, bound_run,
                               sees_payloads, tenant, pipeline, run_id, asked_at, expires_at)
    select ask_agent_request.id, ask_agent_request.operation, ask_agent_request.asked, ask_agent_request.digest, ask_agent_request.why,
           a.id, a.name, actor(), a.tenant, a.pipelines, a.run, a.payloads, ask_agent_request.tenant, ask_agent_request.pipeline,
           ask_agent_request.run_id, at,
           -- No longer than the key that asks; a server remembers it for a moment after its end.
           greatest(least(at + make_interval(secs => ask_agent_request.valid_seconds), k.expires_at), at + interval '1 millisecond')
      from jsonb_to_record(ask_agent_request.asker) as a (id text, name text, tenant text, pipelines text[], run uuid, payloads boolean)
      left join api_key k on k.id::text = a.id;
    request := ask_agent_request.id;
  end if;
  return next;
end $$;
comment on function millrace.ask_agent_request(uuid, text, jsonb, bytea, text, jsonb, text, text, uuid, int) is 'An agent asks people for an operation; the same question is open once.';
