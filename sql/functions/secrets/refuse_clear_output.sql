-- Refuses an output in the clear of a step of an encrypted pipeline, as an executor outside would give it.
create or replace function millrace.refuse_clear_output(run_id uuid, step text, output jsonb) returns void
language plpgsql stable
as $$
begin
  if not is_sealed(refuse_clear_output.output) and is_encrypted_run(refuse_clear_output.run_id) then
    raise exception 'The pipeline of run % is encrypted, and step ''%'' was completed with an output in the clear.', refuse_clear_output.run_id, refuse_clear_output.step
      using errcode = 'MR050', hint = 'Let a worker with a key ring do this step, or complete it without an output.';
  end if;
end $$;
comment on function millrace.refuse_clear_output(uuid, text, jsonb) is 'Refuses an output in the clear of a step of an encrypted pipeline.';
