-- Orders that rows which are there already are told to a watch as if they had changed: those for which the condition holds, in the order of the
-- primary key. Each is locked until it is recorded, else an older state of it could be told after a newer one; a writer waits for a batch at most,
-- and the batch gives up before a writer could be in a circle with it. Its batches are read by a function that has the rights of whoever orders it, so it takes the same rights as applying a watch.
create or replace function millrace.start_backfill(name text, condition text) returns int
language plpgsql set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  watched change_watch;
  relation oid;
  paging text[];
  row_parts record;
  plan jsonb;
  backfill_id int;
  counted text;
begin
  select w.* into watched from change_watch w where w.name = start_backfill.name and w.retired_at is null;
  if not found then
    raise exception 'There is no watch ''%''.', start_backfill.name using errcode = 'MR141', hint = 'List them with: npx millrace watch list';
  end if;
  relation := watch_relation(watched);
  if relation is null or watch_fault(watched, relation) is not null then
    raise exception 'Watch ''%'' can''t be told rows of %.%: %.', watched.name, watched.table_schema, watched.table_name,
      coalesce(case when relation is not null then watch_fault(watched, relation) end, 'there is no such table')
      using errcode = 'MR140', hint = 'See what is wrong with: npx millrace watch plan';
  end if;
  paging := watch_key(jsonb_populate_record(watched, jsonb_build_object('settings', watched.settings - 'key')), relation);
  if paging = '{}' then
    raise exception 'Table %.% has no primary key, by whose order its rows could be read in batches.', watched.table_schema, watched.table_name
      using errcode = 'MR140', hint = 'Give it one.';
  end if;
  if exists (select from unnest(paging) p join pg_attribute a on a.attrelid = relation and a.attname = p join pg_type g on g.oid = a.atttypid
               join pg_type t on t.oid = case g.typtype when 'd' then g.typbasetype else g.oid end
              where t.typcategory = 'A' or t.typtype <> 'e' and t.typnamespace <> 'pg_catalog'::regnamespace) then
    raise exception 'Table %.% has a primary key whose type PostgreSQL itself does not order, or an array.', watched.table_schema, watched.table_name
      using errcode = 'MR140', hint = 'Tell its rows by an update that changes something.';
  end if;
  if position('$millrace$' in start_backfill.condition) > 0 then
    perform refuse_argument('condition', 'a condition without $millrace$', left(start_backfill.condition, 100));
  end if;
  counted := format('from %s new where (%s%s)%s', qualified_name(relation), start_backfill.condition, E'\n',
                    case when watched.tenant is not null then format(' and new.%I::text = %L', watched.settings ->> 'tenant_column', watched.tenant) else '' end);
  execute 'explain (format json) select ' || counted || ' for share of new' into plan;
  insert into change_backfill (watch_id, condition, rows_expected, created_at, created_by)
  values (watched.id, start_backfill.condition, greatest(0, (plan #>> '{0,Plan,Plan Rows}')::numeric::bigint), millrace.now(), actor())
  returning id into backfill_id;
  row_parts := capture_row('new', null, watch_values(watched, relation), relation);
  execute format(
    'create ' || E'function millrace.backfill_%1$s_%2$s(after jsonb, most int) returns jsonb\nlanguage sql security definer set search_path = millrace, pg_temp set lock_timeout = ''200ms''\nas $millrace$\nwith page as materialized (\n  select new.* %3$s and (after is null or (%4$s) > (%5$s)) order by %4$s limit most for share of new\n), told as (\n  insert into millrace.change (watch_id, transaction, operation, tenant, key, new, left_out, at)\n  select %1$s, pg_current_xact_id(), ''backfill'', %6$s, %7$s,\n    %8$s,\n    nullif(%9$s, ''{}''::jsonb), millrace.now() from page new\n)\nselect jsonb_build_object(''done'', (select count(*) from page), ''last'', (select %10$s from page new order by %11$s limit 1))\n$millrace$',
    watched.id, backfill_id, counted,
    (select string_agg(format('new.%I', k), ', ' order by n) from unnest(paging) with ordinality p(k, n)),
    (select string_agg(format('(after ->> %L)::%s', k, c.type), ', ' order by n) from unnest(paging) with ordinality p(k, n) join watch_columns(relation) c on c.name = p.k),
    case when watched.settings ? 'tenant_column' then format('new.%I::text', watched.settings ->> 'tenant_column') else 'null' end,
    capture_object('new', watch_key(watched, relation), relation), row_parts.held, row_parts.missing, capture_object('new', paging, relation),
    (select string_agg(format('new.%I desc', k), ', ' order by n) from unnest(paging) with ordinality p(k, n)));
  execute format('revoke all on function millrace.backfill_%s_%s from public', watched.id, backfill_id);
  execute format('grant execute on function millrace.backfill_%s_%s to %s', watched.id, backfill_id,
                 (select p.proowner::regrole from pg_proc p where p.oid = 'millrace.work_backfills'::regproc));
  return backfill_id;
end $$;
comment on function millrace.start_backfill(text, text) is 'Orders that rows which are there already are told to a watch.';
