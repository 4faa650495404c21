-- Refuses steps that follow a run's outcome and can't: one that undoes no step of the pipeline, a second one for the same step or outcome,
-- one that waits for others or that others wait for.
create or replace function millrace.check_endings(slug text, steps jsonb) returns void
language plpgsql immutable
as $$
declare
  bad text;
begin
  select format('Step ''%s'' of pipeline ''%s'' %s.', s ->> 'name', slug, o.fault) into bad
    from jsonb_array_elements(steps) s
   cross join lateral (values
     ((coalesce(s ->> 'kind', 'step') = 'undo') <> (s ? 'undoes'), 'undoes a step and is of another kind, or is of kind undo and undoes none'),
     ((coalesce(s ->> 'kind', 'step') = 'finally') <> (s ? 'follows'), 'follows an outcome and is of another kind, or is of kind finally and follows none'),
     (s ? 'undoes' and not exists (select from jsonb_array_elements(steps) other where other ->> 'name' = s ->> 'undoes'
        and coalesce(other ->> 'kind', 'step') not in ('undo', 'finally')), 'undoes what is no step of the pipeline'),
     (s ? 'follows' and s -> 'follows' not in ('"completed"', '"failed"'), 'follows neither "completed" nor "failed"'),
     (exists (select from jsonb_array_elements(steps) other where other ->> 'name' <> s ->> 'name'
        and (other ->> 'undoes' = s ->> 'undoes' or other ->> 'follows' = s ->> 'follows')), 'is the second one of its kind'),
     (s ->> 'kind' in ('undo', 'finally') and (jsonb_array_length(coalesce(s -> 'after', '[]')) > 0
        or s ? 'on_error' or s ? 'if_skipped'), 'follows the outcome of the run, and takes no after, on_error or if_skipped'),
     (exists (select from jsonb_array_elements_text(coalesce(s -> 'after', '[]')) need join jsonb_array_elements(steps) other
        on other ->> 'name' = need and other ->> 'kind' in ('undo', 'finally')), 'comes after a step that follows the outcome of the run')) o(is_wrong, fault)
   where o.is_wrong limit 1;
  if found then
    raise exception '%', bad using errcode = 'MR001', hint = 'An undo step names a step in undoes; a finally step follows "completed" or "failed", once each.';
  end if;
  if not exists (select from jsonb_array_elements(steps) s where coalesce(s ->> 'kind', 'step') not in ('undo', 'finally')) then
    raise exception 'Pipeline ''%'' has no step but those that follow its outcome.', slug
      using errcode = 'MR001', hint = 'Give it a step of its own.';
  end if;
end $$;
comment on function millrace.check_endings(text, jsonb) is 'Refuses steps that follow a run''s outcome and can''t.';
