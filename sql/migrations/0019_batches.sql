-- Steps whose handler gets several items at once: how many, after how long at the latest, and what never meets in one batch. Each has a
-- handler of its own, so that claims of others never see its tasks, and workers ask for batches apart (see claim_batches).
alter table millrace.step_definition
  add column batch_size int check (batch_size between 1 and 1000),
  add column batch_ms bigint check (batch_ms between 1 and 86400000),
  add column batch_key jsonb check (jsonb_typeof(batch_key) = 'array'),
  add check ((batch_size is null) = (batch_ms is null)),
  add check (batch_key is null or batch_size is not null),
  add check (batch_size is null or kind in ('step', 'map'));
comment on column millrace.step_definition.batch_size is 'How many tasks one call of its handler gets at most; null where each is a call of its own.';
comment on column millrace.step_definition.batch_ms is 'After how long the oldest task waits for no others.';
comment on column millrace.step_definition.batch_key is 'Paths whose values are alike in all tasks of a batch.';

alter table millrace.handler
  add column batch text collate "C",
  drop constraint handler_slug_version_queue_key,
  add unique nulls not distinct (slug, version, queue, batch);
comment on column millrace.handler.batch is 'The step whose tasks are claimed in batches, alone on this handler; null for all others.';

alter table millrace.worker add column handed_handlers int[] not null default '{}';
update millrace.worker set handed_handlers = handlers where kind = 'worker';
comment on column millrace.worker.handed_handlers is 'Of its handlers, those of which it may be handed a task: all but those of batches.';
