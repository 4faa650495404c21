// The catalog queries behind the page of the schema. Names sort by bytes, so that no server's collation shows.
import type { ClientBase } from 'pg'

export type Relation = {
  name: string
  kind: 'table' | 'view'
  comment: string
  partitioned_by: string | null
  row_security: boolean
  columns: { name: string; type: string; nullable: boolean; default_value: string; comment: string }[]
  keys: string[]
  checks: string[]
  indexes: string[]
  triggers: string[]
  policies: string[]
  grants: string[]
}

export type Routine = {
  name: string
  comment: string
  argument_list: string[]
  result: string
  definer: boolean
  callers: string[]
}

/** Tables and views of schema millrace; a partitioned table stands for its partitions. */
export const readRelations = async (client: ClientBase): Promise<Relation[]> =>
  (await client.query<Relation>(relations_query)).rows

/** Functions and procedures of schema millrace. */
export const readFunctions = async (client: ClientBase): Promise<Routine[]> =>
  (await client.query<Routine>(functions_query)).rows

// PostgreSQL 18 stores NOT NULL as constraints too; the column says it already. The schema's own name is left out of definitions.
const relations_query = `
  with relation as (
    select c.*, c.relname::text collate "C" as name
      from pg_class c
     where c.relnamespace = 'millrace'::regnamespace and c.relkind in ('r', 'p', 'v', 'm') and not c.relispartition
  )
  select c.name,
         case when c.relkind in ('v', 'm') then 'view' else 'table' end as kind,
         coalesce(obj_description(c.oid, 'pg_class'), '') as comment,
         case when c.relkind = 'p' then lower(pg_get_partkeydef(c.oid)) end as partitioned_by,
         c.relrowsecurity as row_security,
         coalesce((
           select jsonb_agg(jsonb_build_object(
                    'name', a.attname,
                    'type', replace(format_type(a.atttypid, a.atttypmod), 'millrace.', ''),
                    'nullable', not a.attnotnull,
                    'default_value', replace(
                      case
                        when a.attidentity <> '' then 'identity'
                        when a.attgenerated <> '' then 'generated: ' || pg_get_expr(d.adbin, d.adrelid)
                        else coalesce(pg_get_expr(d.adbin, d.adrelid), '')
                      end, 'millrace.', ''),
                    'comment', coalesce(col_description(c.oid, a.attnum), '')) order by a.attnum)
             from pg_attribute a
             left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
            where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped), '[]') as columns,
         array(select replace(pg_get_constraintdef(k.oid), 'millrace.', '') from pg_constraint k
                where k.conrelid = c.oid and k.contype in ('p', 'u', 'f')
                order by array_position('{p,u,f}'::text[], k.contype::text), 1) as keys,
         array(select replace(pg_get_constraintdef(k.oid), 'millrace.', '') from pg_constraint k
                where k.conrelid = c.oid and k.contype in ('c', 'x') order by 1) as checks,
         array(select replace(regexp_replace(pg_get_indexdef(i.indexrelid), ' ON (ONLY )?\\S+ ', ' '), 'millrace.', '')
                 from pg_index i join pg_class ic on ic.oid = i.indexrelid
                where i.indrelid = c.oid and not exists (select from pg_constraint k where k.conindid = i.indexrelid)
                order by ic.relname collate "C") as indexes,
         array(select regexp_replace(pg_get_triggerdef(t.oid), '(?<!'')millrace\\.', '', 'g') from pg_trigger t
                where t.tgrelid = c.oid and not t.tgisinternal order by t.tgname collate "C") as triggers,
         array(select format('%s: %s to %s%s%s', p.policyname, lower(p.cmd), array_to_string(p.roles, ', '),
                             ' using ' || replace(p.qual, 'millrace.', ''), ' with check ' || replace(p.with_check, 'millrace.', ''))
                 from pg_policies p where p.schemaname = 'millrace' and p.tablename = c.relname
                order by p.policyname collate "C") as policies,
         array(select format('%s %s', g.grantee, string_agg(g.privilege, ', ' order by g.privilege))
                 from (select case when x.grantee = 0 then 'public' else x.grantee::regrole::text end as grantee,
                              lower(x.privilege_type) as privilege
                         from aclexplode(c.relacl) x where x.grantee <> c.relowner) g
                group by g.grantee order by g.grantee collate "C") as grants
    from relation c
   order by c.name`

const functions_query = `
  select p.proname::text as name,
         coalesce(obj_description(p.oid, 'pg_proc'), '') as comment,
         array(select replace(argument, 'millrace.', '')
                 from unnest(array(select pg_get_function_arg_default(p.oid, n) is not null
                                     from generate_series(1, p.pronargs) n)) with ordinality as has_default(yes, n)
                 cross join lateral (
                   select coalesce(p.proargnames[n] || ' ', '') || format_type(p.proargtypes[n::int - 1], null)
                          || case when yes then ' default ' || regexp_replace(pg_get_function_arg_default(p.oid, n::int), '^(NULL)::.*$', 'null') else '' end
                 ) as spoken(argument)
                order by n) as argument_list,
         replace(case when p.prokind = 'p' then 'nothing' else lower(regexp_replace(pg_get_function_result(p.oid), '^TABLE', 'table')) end,
                 'millrace.', '') as result,
         p.prosecdef as definer,
         array(select case when x.grantee = 0 then 'public' else x.grantee::regrole::text end collate "C"
                 from aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) x
                where x.privilege_type = 'EXECUTE' and x.grantee <> p.proowner
                order by 1) as callers
    from pg_proc p
   where p.pronamespace = 'millrace'::regnamespace
   order by p.proname collate "C"`
