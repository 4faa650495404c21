-- Makes one new run of another: what fork_run and rerun_run have in common. The id of the new run is the caller's, so that a call whose answer
-- was lost is asked again and finds what it made.
create or replace function millrace.make_copy(
  of_run uuid, new_run uuid, kind text, version text, step text, input jsonb, keep_checkpoints boolean, reason text)
returns table (created boolean, run_id uuid, refusal text, detail text)
language plpgsql
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
  known run_lineage;
begin
  if (make_copy.version in ('original', 'latest')) is not true then
    perform refuse_argument('version', 'original or latest', quote_literal(make_copy.version));
  end if;
  if not exists (select from run r where r.id = make_copy.of_run) then
    raise exception 'There is no run %.', make_copy.of_run using errcode = 'MR006', hint = 'List the runs with: npx millrace run list';
  end if;
  perform pg_advisory_xact_lock(77426, hashtext(make_copy.new_run::text));
  select l.* into known from run_lineage l where l.run_id = make_copy.new_run;
  if (known.of_run, known.kind, known.step) is not distinct from (make_copy.of_run, make_copy.kind, make_copy.step) then
    return query select false, known.run_id, 'repeated', null::text;
    return;
  end if;
  if not exists (select from run r where r.id = make_copy.new_run) then
    begin
      perform write_audit(case make_copy.kind when 'fork' then 'run.forked' else 'run.rerun' end, 'run', make_copy.of_run::text,
                          jsonb_build_object('as', make_copy.new_run, 'step', make_copy.step, 'version', make_copy.version,
                                             'input_edited', nullif(make_copy.input is not null, false)));
      return query
        select c.new_run is not null, c.new_run, c.refusal, c.detail
          from copy_runs(array[make_copy.of_run], array[make_copy.new_run], make_copy.kind, make_copy.version,
                         case when make_copy.step is null then 'start' else 'step' end, make_copy.step, make_copy.input, make_copy.keep_checkpoints, null, make_copy.reason, at) c;
      return;
    exception when unique_violation then
      -- A start, which takes no such lock, may have taken the id since.
      if not exists (select from run r where r.id = make_copy.new_run) then
        raise;
      end if;
    end;
  end if;
  raise exception 'A run id is taken: it is that of another run.' using errcode = 'MR009', hint = 'Give each start an id of its own, or none.';
end $$;
comment on function millrace.make_copy(uuid, uuid, text, text, text, jsonb, boolean, text) is 'Makes one new run of another.';
