-- Refuses targets that are no list of pipelines, steps and queues. What is named need not exist yet: it is limited as soon as it does.
create or replace function millrace.check_targets(name text, targets jsonb) returns void
language plpgsql immutable
as $$
declare
  target jsonb;
  named text;
begin
  if jsonb_typeof(targets) is distinct from 'array' or jsonb_array_length(targets) not between 1 and 1000 then
    raise exception 'Limit ''%'' holds for nothing.', name
      using errcode = 'MR060', hint = 'Give 1 to 1,000 targets such as {"slug": "orders"}, {"slug": "orders", "step": "charge"} or {"queue": "slow"}.';
  end if;
  for target in select jsonb_array_elements(targets) loop
    if jsonb_typeof(target) <> 'object' then
      raise exception 'Limit ''%'' has a target that is none: %.', name, target
        using errcode = 'MR060', hint = 'Write each as an object: {"slug": "orders"}, {"slug": "orders", "step": "charge"} or {"queue": "slow"}.';
    end if;
    for named in select jsonb_object_keys(target) loop
      if named not in ('slug', 'step', 'queue') or jsonb_typeof(target -> named) <> 'string' then
        raise exception 'Limit ''%'' has a target with an unknown ''%'': %.', name, named, target
          using errcode = 'MR060', hint = 'A target names a slug, a slug and a step, or a queue.';
      end if;
    end loop;
    if not (target ? 'slug' or target ? 'queue') then
      raise exception 'Limit ''%'' has a target that names no pipeline and no queue: %.', name, target
        using errcode = 'MR060', hint = 'A target names a slug, a slug and a step, or a queue.';
    end if;
    if target ? 'step' and not target ? 'slug' then
      raise exception 'Limit ''%'' has a target that names a step and no pipeline: %.', name, target
        using errcode = 'MR060', hint = 'A target names a slug, a slug and a step, or a queue.';
    end if;
  end loop;
end $$;
comment on function millrace.check_targets(text, jsonb) is 'Refuses targets that are no list of pipelines, steps and queues.';
