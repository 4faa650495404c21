-- Two counts of rows by table, added up; tables of which there were none are left out.
create or replace function millrace.add_counts(one jsonb, other jsonb) returns jsonb
language sql immutable
as $$
  select coalesce(jsonb_object_agg(s.name, s.n order by s.name), '{}')
    from (select b.name, sum(b.n::bigint) as n
            from (select * from jsonb_each_text(one) union all select * from jsonb_each_text(other)) b(name, n)
           group by b.name having sum(b.n::bigint) > 0) s
$$;
comment on function millrace.add_counts(jsonb, jsonb) is 'Two counts of rows by table, added up.';
