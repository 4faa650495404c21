-- Notes which handlers' tasks take turns by the rules that there are now, and by which key: so that starts, which may be part of somebody's long
-- transaction, read nothing that a change of the rules locks. Where a strict order decides first, tasks get their key when they are lined up.
create or replace function millrace.renew_turn_handlers() returns void
language plpgsql
as $$
#variable_conflict use_column
begin
  insert into turn_handler as f (handler, key_paths, input_path)
  select distinct on (r.handler) r.handler, case when not r.lined_up then r.key_paths end, case when not r.lined_up then r.input_path end
    from (select l.handler, k.id, k.kind, k.key_paths, k.input_path, bool_or(k.fifo is not null) over (partition by l.handler) as lined_up
            from limited_step l join limit_rule k on k.id = l.rule_id where k.kind = 'fairness' or k.fifo is not null) r
   order by r.handler, r.kind desc, r.id
      on conflict (handler) do update set key_paths = excluded.key_paths, input_path = excluded.input_path
   where (f.key_paths, f.input_path) is distinct from (excluded.key_paths, excluded.input_path);
  update turn_handler f set key_paths = null, input_path = null
   where f.key_paths is not null
     and not exists (select from limited_step l join limit_rule k on k.id = l.rule_id where l.handler = f.handler and k.kind = 'fairness');
end $$;
comment on function millrace.renew_turn_handlers() is 'Notes which handlers'' tasks take turns by the rules that there are now, and by which key.';
