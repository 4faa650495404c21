-- The steps of a graph in an order in which each comes after all it needs; refuses a cycle by naming a step of it.
create or replace function millrace.order_steps(slug text, graph jsonb)
returns table (step text, "position" int, needs text[])
language plpgsql immutable
as $$
declare
  placed text[] := array[]::text[];
  ready record;
  progressed boolean;
begin
  loop
    progressed := false;
    for ready in
      select s ->> 'name' as name, array(select distinct n from jsonb_array_elements_text(
               coalesce(s -> 'after', '[]') || case when s ? 'over' then jsonb_build_array(s -> 'over') else '[]' end) n) as needs
        from jsonb_array_elements(graph -> 'steps') with ordinality e(s, written)
       where s ->> 'name' <> all (placed)
       order by written
    loop
      if ready.needs <@ placed then
        step := ready.name;
        "position" := cardinality(placed);
        needs := ready.needs;
        placed := placed || ready.name;
        progressed := true;
        return next;
      end if;
    end loop;
    exit when cardinality(placed) = jsonb_array_length(graph -> 'steps');
    if not progressed then
      raise exception 'The steps of pipeline ''%'' wait for each other: ''%'' is part of a cycle.', order_steps.slug,
        (select s ->> 'name' from jsonb_array_elements(graph -> 'steps') s where s ->> 'name' <> all (placed) limit 1)
        using errcode = 'MR001', hint = 'Remove one of the "after" entries on the way round.';
    end if;
  end loop;
end $$;
comment on function millrace.order_steps(text, jsonb) is 'The steps in an order in which each comes after all it needs.';
