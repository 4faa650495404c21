-- What has begun under a rate stays used up where the rate is written anew, or holds for something else: so many units, each with the time that it takes up by now.
-- Those who wait have times that lie beyond it, and are about to get others (see free_waiters): what was used by those who began is what lies before the first of them.
create or replace function millrace.keep_units(former millrace.limit_rule, rule millrace.limit_rule, at timestamptz) returns void
language sql
set enable_seqscan = off
as $$
  update millrace.limit_state s
     set full_until = at + make_interval(secs => rule.unit_ms / 1000 * least(rule.burst, greatest(0, extract(epoch from coalesce(
           (select min(greatest(w.available_at, at)) from millrace.waiting_task w where w.limit_state_id = s.id and w.available_at is not null and not w.paused)
             + make_interval(secs => (former.burst - 1) * former.unit_ms / 1000),
           s.full_until) - at)::float8 * 1000 / former.unit_ms)))
   where s.rule_id = former.id and s.full_until > at
$$;
comment on function millrace.keep_units(millrace.limit_rule, millrace.limit_rule, timestamptz) is 'Keeps what has begun under a rate used up where the rate changes.';
