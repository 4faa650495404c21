-- Writes down what is installed of a watch, in the transaction that installed it; refused where it was changed since its statements were planned.
create or replace function millrace.mark_watch(name text, statements text[]) returns void
language plpgsql set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
begin
  if exists (select from millrace.change_watch w where w.name = mark_watch.name and w.retired_at is not null) then
    perform millrace.remove_watch(mark_watch.name);
    return;
  end if;
  if exists (select from millrace.change_watch w cross join lateral millrace.watch_statements(w) s where w.name = mark_watch.name and s <> all (statements)) then
    raise exception 'Watch ''%'', or its table, was changed since this was planned.', mark_watch.name using errcode = 'MR140', hint = 'Plan anew, and apply that: npx millrace watch plan';
  end if;
  update millrace.change_watch w
     set installed_at = millrace.now(), installed_by = actor(), installed_digest = millrace.watch_digest(w), installed_relation = millrace.watch_relation(w),
         installed_columns = (select coalesce(jsonb_object_agg(c.name, c.type), '{}') from millrace.watch_columns(millrace.watch_relation(w)) c)
   where w.name = mark_watch.name;
end $$;
comment on function millrace.mark_watch(text, text[]) is 'Writes down what is installed of a watch.';
