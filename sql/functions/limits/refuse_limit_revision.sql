-- A change that was decided on a look at an older revision of a rule, or on there being none, is refused with what there is now.
create or replace function millrace.refuse_limit_revision(name text, found_rule millrace.limit_rule, expected_revision int) returns void
language plpgsql stable
as $$
begin
  if coalesce((found_rule).revision, 0) <> expected_revision then
    raise exception 'Limit ''%'' was changed since: you saw its revision %, and it is at %.', name, expected_revision, coalesce((found_rule).revision, 0)
      using errcode = 'MR030', hint = 'Look at it again, and decide anew: npx millrace limit list',
            detail = jsonb_build_object('name', name, 'seen', expected_revision, 'revision', coalesce((found_rule).revision, 0),
                       'settings', case when (found_rule).id is not null then millrace.limit_settings(found_rule) end)::text;
  end if;
end $$;
comment on function millrace.refuse_limit_revision(text, millrace.limit_rule, int) is 'Refuses a change that was decided on an older revision of a rule.';
