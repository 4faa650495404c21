-- By which key tasks of some of these handlers take turns, so that what is started brings it along.
create or replace function millrace.find_turns(entry_handlers int[])
returns table (handlers int[], key_paths jsonb, input_path text[])
language sql stable
as $$
  select array_agg(f.handler), f.key_paths, f.input_path
    from millrace.turn_handler f
   where f.handler = any (entry_handlers) and f.key_paths is not null
   group by f.key_paths, f.input_path order by min(f.handler) limit 1
$$;
comment on function millrace.find_turns(int[]) is 'By which key tasks of some of these handlers take turns.';
