-- What a rule counts for a key has an id that is worked out of both: so a claim counts in one statement what is there and what is not there yet.
-- The same number is reckoned by limit_state_id, which comes after this. What has been counted gets it here, and all that names it by the old one.
lock table millrace.task, millrace.waiting_task, millrace.limit_end, millrace.limit_state in access exclusive mode;

alter table millrace.limit_state alter column id drop identity;
alter table millrace.waiting_task
  drop constraint waiting_task_limit_state_id_fkey,
  add constraint waiting_task_limit_state_id_fkey foreign key (limit_state_id) references millrace.limit_state on update cascade;
alter table millrace.limit_end
  drop constraint limit_end_state_id_fkey,
  add constraint limit_end_state_id_fkey foreign key (state_id) references millrace.limit_state on update cascade on delete cascade;

update millrace.task t
   set holds = array(select coalesce((hashtextextended(s.key, s.rule_id) & 9223372036854775806) + 1, h.id)
                       from unnest(t.holds) with ordinality h(id, place) left join millrace.limit_state s on s.id = h.id order by h.place)
 where t.holds <> '{}';
update millrace.waiting_task w
   set holds = array(select coalesce((hashtextextended(s.key, s.rule_id) & 9223372036854775806) + 1, h.id)
                       from unnest(w.holds) with ordinality h(id, place) left join millrace.limit_state s on s.id = h.id order by h.place)
 where w.holds <> '{}';
update millrace.limit_state s set id = (hashtextextended(s.key, s.rule_id) & 9223372036854775806) + 1;
update millrace.limit_cursor set state_id = 0;

drop function if exists millrace.find_limit_states(int[], text[], boolean, timestamptz);
