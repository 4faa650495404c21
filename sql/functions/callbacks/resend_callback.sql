-- Sends a delivery once more, from now on and with fresh attempts, whatever became of it; under the same id. A callback that was disabled is called again.
create or replace function millrace.resend_callback(delivery_id uuid) returns void
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
  sent callback_delivery;
begin
  -- A callback before its deliveries, in each function that locks both.
  perform 1 from callback c where c.id = (select d.callback_id from callback_delivery d where d.id = resend_callback.delivery_id) for update;
  select d.* into sent from callback_delivery d where d.id = resend_callback.delivery_id for update;
  if not found then
    raise exception 'There is no delivery %.', coalesce(resend_callback.delivery_id::text, 'null')
      using errcode = 'MR130', hint = 'List them with: npx millrace callback list';
  end if;
  -- While it is being sent its attempt counts on: what that one answers is not to be taken for the answer of this one.
  update callback_delivery d set queued_at = at, due_at = at, attempts = 0, claims = d.claims + 1, delivered_at = null, given_up_at = null, reason = null
   where d.id = sent.id;
  update callback c set disabled_at = null where c.id = sent.callback_id and c.disabled_at is not null;
  perform write_event(sent.run_id, 'callback.resent', jsonb_build_object('delivery', sent.id));
  perform write_audit('callback.resent', 'callback_delivery', sent.id::text, jsonb_build_object('run', sent.run_id));
end $$;
comment on function millrace.resend_callback(uuid) is 'Sends a delivery once more, with fresh attempts and under the same id.';
