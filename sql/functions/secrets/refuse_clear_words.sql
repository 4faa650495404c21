-- Refuses what an executor outside says in the clear while it works on a step of an encrypted pipeline: the fields of a log line, a part of the stream.
create or replace function millrace.refuse_clear_words(run_id uuid, step text, what text, value jsonb) returns void
language plpgsql stable
as $$
begin
  if not is_sealed(refuse_clear_words.value) and is_encrypted_run(refuse_clear_words.run_id) then
    raise exception 'The pipeline of run % is encrypted, and step ''%'' gave % in the clear.', refuse_clear_words.run_id, refuse_clear_words.step, refuse_clear_words.what
      using errcode = 'MR050', hint = 'Let a worker with a key ring do this step, or say only what may stand in the clear: the message of a log line, progress, metadata, metrics.';
  end if;
end $$;
comment on function millrace.refuse_clear_words(uuid, text, text, jsonb) is 'Refuses what an executor outside says in the clear of an encrypted pipeline.';
