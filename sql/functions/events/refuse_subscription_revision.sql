-- A change that was decided on a look at an older revision of a subscription, or on there being none, is refused with what there is now.
create or replace function millrace.refuse_subscription_revision(name text, known millrace.subscription, expected_revision int) returns void
language plpgsql stable
as $$
begin
  if (case when (known).retired_at is null then coalesce((known).revision, 0) else 0 end) <> expected_revision then
    raise exception 'Subscription ''%'' was changed since: you saw its revision %, and it is at %.', name, expected_revision, coalesce((known).revision, 0)
      using errcode = 'MR030', hint = 'Look at it again, and decide anew: npx millrace subscription list',
            detail = jsonb_build_object('name', name, 'seen', expected_revision, 'revision', coalesce((known).revision, 0))::text;
  end if;
end $$;
comment on function millrace.refuse_subscription_revision(text, millrace.subscription, int) is 'Refuses a change that was decided on an older revision of a subscription.';
