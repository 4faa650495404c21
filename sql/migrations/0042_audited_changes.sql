-- What people define and change in place is in the audit trail as well: the weights of a split, and what a pipeline's callbacks are told of.
create trigger audited_change after update on millrace.pipeline_share
  for each row when (old.weight is distinct from new.weight)
  execute function millrace.audit_row('pipeline_share', 'slug');
create trigger audited_change after update on millrace.callback
  for each row when (new.slug is not null and (old.ends, old.secret) is distinct from (new.ends, new.secret))
  execute function millrace.audit_row('callback', 'slug');
