-- Refuses a change of a rule on starts that was decided on another revision than the one it has; 0 is that of a rule that does not exist.
create or replace function millrace.refuse_start_rule_revision(slug text, name text, known millrace.start_rule, expected_revision int) returns void
language plpgsql stable
as $$
begin
  if expected_revision <> coalesce((known).revision, 0) then
    raise exception 'Rule ''%'' of pipeline ''%'' was changed since: you saw its revision %, and it is at %.', name, slug, expected_revision, coalesce((known).revision, 0)
      using errcode = 'MR030', hint = 'Look at it again, and decide anew.',
            detail = jsonb_build_object('pipeline', slug, 'rule', name, 'seen', expected_revision, 'revision', coalesce((known).revision, 0))::text;
  end if;
end $$;
comment on function millrace.refuse_start_rule_revision(text, text, millrace.start_rule, int) is 'Refuses a change that was decided on an older revision of a rule on starts.';
