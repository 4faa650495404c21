-- The steps of a version at which, or beyond which, a run can't go on in another graph, each with the reason: it must be there, of the same
-- kind, after the same steps, over the same list. A step that no run has reached may change as it likes.
create or replace function millrace.find_graph_faults(slug text, version int, graph jsonb)
returns table (step text, fault text)
language plpgsql stable
as $$
#variable_conflict use_column
begin
  return query
    select d.step,
           case when other.step is null then format('''%s'' is gone', d.step)
                when other.kind <> d.kind then format('''%s'' was a %s and is a %s', d.step, d.kind, other.kind)
                when other.over is distinct from d.over then format('''%s'' went over ''%s'' and goes over ''%s''', d.step, d.over, other.over)
                else format('''%s'' came after %s and comes after %s', d.step, millrace.step_list(d.needs), millrace.step_list(other.needs)) end
      from millrace.step_definition d
      left join (select o.step, o.needs, coalesce(s ->> 'kind', 'step') as kind, s ->> 'over' as over
                   from millrace.order_steps(find_graph_faults.slug, find_graph_faults.graph) o
                   join jsonb_array_elements(find_graph_faults.graph -> 'steps') s on s ->> 'name' = o.step) other on other.step = d.step
     where d.slug = find_graph_faults.slug and d.version = find_graph_faults.version and d.kind not in ('undo', 'finally', 'end')
       and (other.step is null or other.kind <> d.kind or other.over is distinct from d.over
         or not (other.needs @> d.needs and other.needs <@ d.needs));
end $$;
comment on function millrace.find_graph_faults(text, int, jsonb) is 'The steps of a version at which a run can''t go on in another graph, and why.';
