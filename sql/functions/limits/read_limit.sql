-- Reads the settings of a rule, and refuses what could not be enforced: each kind takes its own settings, all of them within their bounds.
create or replace function millrace.read_limit(name text, settings jsonb, source text) returns millrace.limit_rule
language plpgsql
as $$
#variable_conflict use_column
declare
  rule limit_rule;
  kind text := settings ->> 'kind';
  known text[] := case kind when 'concurrency' then array['kind', 'key', 'capacity', 'strategy', 'fifo'] when 'rate' then array['kind', 'key', 'units', 'per_ms', 'burst', 'units_path']
                            when 'breaker' then array['kind', 'key', 'failures', 'window_ms', 'cooldown_ms'] when 'fairness' then array['kind', 'key', 'weights', 'default_weight']
                            else array['kind'] end;
  unknown text;
begin
  if name is null or name !~ '^[a-z][a-z0-9-]{0,62}$' then
    raise exception 'A limit can''t be called %.', coalesce(quote_literal(name), 'null')
      using errcode = 'MR060', hint = 'Begin with a small letter, and go on with small letters, digits and hyphens; 63 characters are the most.';
  end if;
  if source is null or source not in ('code', 'operator') then
    perform refuse_argument('source', 'code or operator', coalesce(source, 'null'));
  end if;
  if kind is null or kind not in ('concurrency', 'rate', 'breaker', 'fairness') then
    raise exception 'Limit ''%'' has no kind that there is: %.', name, coalesce(quote_literal(kind), 'null')
      using errcode = 'MR060', hint = 'The kinds are concurrency, rate, breaker and fairness.';
  end if;
  select k into unknown from jsonb_object_keys(settings) k where k <> all (known) limit 1;
  if found then
    raise exception 'Limit ''%'' of kind % takes no ''%''.', name, kind, unknown
      using errcode = 'MR060', hint = format('It takes: %s.', array_to_string(known, ', '));
  end if;
  perform check_limit_paths(name, settings -> 'key');
  rule.name := name;
  rule.kind := kind;
  rule.source := source;
  rule.key_paths := coalesce(settings -> 'key', '[]');
  if jsonb_array_length(rule.key_paths) = 1 and (rule.key_paths -> 0 ->> 0 not like '$%' or rule.key_paths = '[["$tenant"]]') then
    rule.input_path := array(select jsonb_array_elements_text(rule.key_paths -> 0));
  end if;
  if kind = 'concurrency' then
    rule.capacity := limit_number(name, settings, 'capacity', 1, 1000000);
    rule.strategy := coalesce(settings ->> 'strategy', 'wait');
    if rule.strategy not in ('wait', 'cancel_oldest', 'reject_newest') then
      raise exception 'Limit ''%'' has no strategy that there is: ''%''.', name, rule.strategy
        using errcode = 'MR060', hint = 'The strategies are wait, cancel_oldest and reject_newest.';
    end if;
    if rule.strategy = 'cancel_oldest' and rule.capacity > 100 then
      raise exception 'Limit ''%'' can''t cancel the oldest of % tasks.', name, rule.capacity
        using errcode = 'MR060', hint = 'With cancel_oldest the capacity is at most 100.';
    end if;
    rule.fifo := settings ->> 'fifo';
    if rule.fifo not in ('block', 'pass') or (rule.fifo is not null and (rule.capacity <> 1 or rule.strategy <> 'wait')) then
      raise exception 'Limit ''%'' can''t keep the order: its fifo is ''%'', its capacity % and its strategy ''%''.', name, rule.fifo, rule.capacity, rule.strategy
        using errcode = 'MR060', hint = 'A strict order is kept with fifo block or pass, a capacity of 1 and the strategy wait.';
    end if;
  elsif kind = 'rate' then
    rule.unit_ms := limit_number(name, settings, 'per_ms', 1, 31536000000) / limit_number(name, settings, 'units', 1, 1000000);
    rule.burst := coalesce(limit_number(name, settings, 'burst', 1, 1000000, true), 1);
    if rule.unit_ms < 0.001 or rule.unit_ms * rule.burst > 31536000000 then
      raise exception 'Limit ''%'' can''t be kept: a unit takes % ms, and a burst of % units %.', name, rule.unit_ms, rule.burst,
        case when rule.unit_ms < 0.001 then 'no time at all' else 'more than a year' end
        using errcode = 'MR060', hint = 'At most a million units a second; a burst is at most what comes in a year.';
    end if;
    if settings ? 'units_path' then
      perform check_limit_paths(name, jsonb_build_array(settings -> 'units_path'));
      rule.units_path := settings -> 'units_path';
    end if;
  elsif kind = 'fairness' then
    if rule.key_paths = '[]' then
      raise exception 'Limit ''%'' of kind fairness has no key: between what would tasks take turns?', name
        using errcode = 'MR060', hint = 'Give it a key, as in [["customer"]] or [["$tenant"]].';
    end if;
    rule.default_weight := coalesce(limit_number(name, settings, 'default_weight', 1, 1000, true), 1);
    rule.weights := read_weights(name, coalesce(settings -> 'weights', '{}'));
  else
    rule.failures := limit_number(name, settings, 'failures', 1, 1000);
    rule.window_ms := limit_number(name, settings, 'window_ms', 1, 31536000000);
    rule.cooldown_ms := limit_number(name, settings, 'cooldown_ms', 1, 31536000000);
  end if;
  return rule;
end $$;
comment on function millrace.read_limit(text, jsonb, text) is 'Reads the settings of a rule, and refuses what could not be enforced.';
