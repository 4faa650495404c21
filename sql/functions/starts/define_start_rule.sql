-- Defines a rule on the starts of a pipeline, or changes it while runs are under way; answers its revision, which stays the same where nothing
-- changes. Whoever says which revision they saw changes no other one. It holds for each start that begins after it was committed.
create or replace function millrace.define_start_rule(
  slug text, name text, settings jsonb, source text default 'operator', expected_revision int default null)
returns int
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
  wanted start_rule := read_start_rule(define_start_rule.slug, define_start_rule.name, define_start_rule.settings);
  known start_rule;
  active int;
begin
  if define_start_rule.source is null or define_start_rule.source not in ('code', 'operator') then
    perform refuse_argument('source', 'code or operator', coalesce(define_start_rule.source, 'null'));
  end if;
  select p.active_version into active from pipeline p where p.slug = define_start_rule.slug for no key update;
  if not found then
    raise exception 'There is no pipeline ''%''.', define_start_rule.slug
      using errcode = 'MR002', hint = 'Register it: start a worker that serves it, or call register_pipeline.';
  end if;
  select k.* into known from start_rule k where k.slug = define_start_rule.slug and k.name = define_start_rule.name for update;
  perform refuse_start_rule_revision(define_start_rule.slug, define_start_rule.name, known, define_start_rule.expected_revision);
  if known.kind <> wanted.kind then
    raise exception 'Rule ''%'' of pipeline ''%'' is of kind %, and stays so.', define_start_rule.name, define_start_rule.slug, known.kind
      using errcode = 'MR070', hint = 'Remove it first, or give the other one a name of its own.';
  end if;
  if (known.key_paths, known.wait_ms, known.wait_most_ms, known.starts, known.per_ms, known.surplus, known.action, known.most, known.source)
     is not distinct from (wanted.key_paths, wanted.wait_ms, wanted.wait_most_ms, wanted.starts, wanted.per_ms, wanted.surplus, wanted.action, wanted.most, define_start_rule.source) then
    return known.revision;
  end if;
  begin
    insert into start_rule as k (slug, name, kind, key_paths, wait_ms, wait_most_ms, starts, per_ms, surplus, action, most, source, changed_at, changed_by)
    values (wanted.slug, wanted.name, wanted.kind, wanted.key_paths, wanted.wait_ms, wanted.wait_most_ms, wanted.starts, wanted.per_ms, wanted.surplus,
            wanted.action, wanted.most, define_start_rule.source, at, actor())
        on conflict (slug, name) do update
       set key_paths = excluded.key_paths, wait_ms = excluded.wait_ms, wait_most_ms = excluded.wait_most_ms, starts = excluded.starts, per_ms = excluded.per_ms,
           surplus = excluded.surplus, action = excluded.action, most = excluded.most, source = excluded.source,
           revision = k.revision + 1, changed_at = excluded.changed_at, changed_by = excluded.changed_by
    returning k.* into wanted;
  exception when unique_violation then
    raise exception 'Pipeline ''%'' has a rule like ''%'' already.', define_start_rule.slug, define_start_rule.name
      using errcode = 'MR070', hint = 'A pipeline has one rule of kind latest, and one that makes one run of several starts: a debounce, or a throttle with the surplus "coalesce".';
  end;
  update pipeline p set has_start_rules = true where p.slug = define_start_rule.slug and not p.has_start_rules;
  if active is not null then
    perform check_start_rules(define_start_rule.slug, active);
  end if;
  if known.key_paths is distinct from wanted.key_paths then
    perform forget_start_states(wanted.id);
    perform count_started(wanted, at);
  end if;
  return wanted.revision;
end $$;
comment on function millrace.define_start_rule(text, text, jsonb, text, int) is 'Defines a rule on the starts of a pipeline, or changes it; answers its revision.';
