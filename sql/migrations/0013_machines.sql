-- Where the process of a worker can be looked for: whoever shares the machine sees that it is gone, without waiting for its lease.

alter table millrace.worker add column machine text check (length(machine) between 1 and 200);
comment on column millrace.worker.machine is 'The start of the system and the table of processes in which its process_id means something; null where its system does not tell.';

drop function if exists millrace.register_worker(uuid, text, text, int, text, int, text[], int[], int);
