-- Reads the settings of a rule on starts, and refuses what could not be enforced: each kind takes its own settings, all of them within their bounds.
create or replace function millrace.read_start_rule(slug text, name text, settings jsonb) returns millrace.start_rule
language plpgsql immutable
as $$
#variable_conflict use_column
declare
  rule start_rule;
  kind text := settings ->> 'kind';
  known text[] := case kind when 'debounce' then array['kind', 'key', 'wait_ms', 'most_ms'] when 'throttle' then array['kind', 'key', 'starts', 'per_ms', 'surplus']
                            when 'latest' then array['kind', 'key', 'do'] when 'waiting' then array['kind', 'key', 'most'] end;
  unknown text;
begin
  if name is null or name !~ '^[a-z][a-z0-9-]{0,62}$' then
    raise exception 'A rule on starts can''t be called %.', coalesce(quote_literal(name), 'null')
      using errcode = 'MR070', hint = 'Begin with a small letter, and go on with small letters, digits and hyphens; 63 characters are the most.';
  end if;
  if known is null then
    raise exception 'Rule ''%'' of pipeline ''%'' has no kind that there is: %.', name, slug, coalesce(quote_literal(kind), 'null')
      using errcode = 'MR070', hint = 'The kinds are debounce, throttle, latest and waiting.';
  end if;
  select k into unknown from jsonb_object_keys(settings) k where k <> all (known) limit 1;
  if found then
    raise exception 'Rule ''%'' of pipeline ''%'' takes no ''%''.', name, slug, unknown
      using errcode = 'MR070', hint = format('A rule of kind %s takes: %s.', kind, array_to_string(known, ', '));
  end if;
  if settings ? 'key' then
    perform check_start_key(slug, name, settings -> 'key');
  end if;
  rule.slug := slug;
  rule.name := name;
  rule.kind := kind;
  rule.key_paths := coalesce(settings -> 'key', '[]');
  if kind = 'debounce' then
    rule.wait_ms := start_rule_number(slug, name, settings, 'wait_ms', 1, 31536000000);
    if coalesce(settings -> 'most_ms', 'null') <> 'null' then
      rule.wait_most_ms := start_rule_number(slug, name, settings, 'most_ms', rule.wait_ms, 31536000000);
    end if;
  elsif kind = 'throttle' then
    rule.starts := start_rule_number(slug, name, settings, 'starts', 1, 1000);
    rule.per_ms := start_rule_number(slug, name, settings, 'per_ms', 1, 31536000000);
    rule.surplus := coalesce(settings ->> 'surplus', 'refuse');
  elsif kind = 'latest' then
    rule.action := coalesce(settings ->> 'do', 'null');
  else
    rule.most := start_rule_number(slug, name, settings, 'most', 1, 10000);
  end if;
  if rule.surplus not in ('refuse', 'coalesce') or rule.action not in ('reject newcomer', 'cancel other') then
    raise exception 'Rule ''%'' of pipeline ''%'' does what no such rule can do: ''%''.', name, slug, coalesce(rule.surplus, rule.action)
      using errcode = 'MR070', hint = case kind when 'latest' then 'Write "do" as "reject newcomer" or "cancel other".' else 'Write "surplus" as "refuse" or "coalesce".' end;
  end if;
  return rule;
end $$;
comment on function millrace.read_start_rule(text, text, jsonb) is 'Reads the settings of a rule on starts, and refuses what could not be enforced.';
