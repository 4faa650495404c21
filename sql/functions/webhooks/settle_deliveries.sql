-- What deliveries are once their starts were answered: one of which a pipeline was refused by a rule or a pause has failed, so that it comes again.
create or replace function millrace.settle_deliveries(given millrace.received_delivery[], links millrace.delivery_link[])
returns millrace.received_delivery[]
language plpgsql immutable
as $$
declare
  link millrace.delivery_link;
begin
  foreach link in array links loop
    continue when link.outcome not in ('limit', 'paused');
    given[link.place].state := 'failed';
    given[link.place].reason := link.outcome;
    given[link.place].status := case when link.outcome = 'limit' then 429 else 503 end;
    given[link.place].problem := case when link.outcome = 'limit' then format('Rule ''%s'' of pipeline ''%s'' refused the start.', link.rule, link.pipeline)
                                      else format('Starts of pipeline ''%s'', or of the run key, are paused.', link.pipeline) end;
  end loop;
  return given;
end $$;
comment on function millrace.settle_deliveries(millrace.received_delivery[], millrace.delivery_link[]) is 'What deliveries are once their starts were answered.';
