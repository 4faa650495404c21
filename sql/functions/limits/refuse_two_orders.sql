-- Refuses a second rule that says in which order the same tasks begin: between which keys they take turns, or by which key in strict order. A version
-- that comes later, and that two such rules reach, goes by the older one.
create or replace function millrace.refuse_two_orders(rule millrace.limit_rule) returns void
language plpgsql stable
as $$
declare
  other record;
begin
  if rule.kind <> 'fairness' and rule.fifo is null then
    return;
  end if;
  select k.name, h.slug, h.queue into other
    from millrace.limited_step own
    join millrace.limited_step l on l.handler = own.handler and l.rule_id <> own.rule_id
    join millrace.limit_rule k on k.id = l.rule_id and k.kind = rule.kind and (k.fifo is null) = (rule.fifo is null)
    join millrace.handler h on h.id = l.handler
   where own.rule_id = rule.id limit 1;
  if found then
    raise exception 'Limit ''%'' would order what limit ''%'' orders already: the tasks of ''%'' (queue %).', rule.name, other.name, other.slug, other.queue
      using errcode = 'MR060', hint = 'Change the other one, or remove it first.';
  end if;
end $$;
comment on function millrace.refuse_two_orders(millrace.limit_rule) is 'Refuses a second rule that says in which order the same tasks begin.';
