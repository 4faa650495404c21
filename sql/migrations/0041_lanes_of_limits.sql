-- What a rule without keys stops may stay where it is ready, where nothing else lies there (see place_limits).
alter table millrace.limit_rule add column in_lanes boolean not null default false;
comment on column millrace.limit_rule.in_lanes is 'What it stops stays where it is ready: it has no keys, and its handlers have no steps that are not under it, or under another rule as well (see claim_in_lanes).';

alter table millrace.limit_state add column left_at timestamptz;
comment on column millrace.limit_state.left_at is 'When a claim last had to leave tasks that are ready for want of room; null where the last one left none. Who gives slots back wakes workers for them.';

alter table millrace.limit_end add column ended_at timestamptz;
comment on column millrace.limit_end.ended_at is 'When the last of them ended.';

update millrace.limit_rule k
   set in_lanes = true
 where k.kind = 'concurrency' and k.key_paths = '[]' and k.strategy = 'wait' and k.fifo is null
   and not exists (
     select from millrace.limited_step l
       join millrace.step_definition d on d.handler = l.handler
       left join millrace.limited_step o on o.step_id = d.id
      where l.rule_id = k.id and o.rule_id is distinct from k.id);

-- Its fifth argument is called by another name; who has called it by the old one finds the new one.
drop function if exists millrace.order_lanes(int[], smallint[], bigint[], smallint, int[], int[], int[], int[]);
