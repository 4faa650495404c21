// An edge function that runs the `http` steps on queue `edge`. A POST with the secret wakes it; it leaves when there is nothing left to do.
import { edgeWorker } from 'millrace/worker'
import { pipelines } from '../_shared/pipelines.ts'

declare const Deno: {
  readonly env: { get(name: string): string | undefined }
  serve(handler: (request: Request) => Promise<Response>): void
}

Deno.serve(
  edgeWorker({
    // A login of its own with the role millrace_worker, by the session pooler or the direct address. Not SUPABASE_DB_URL: that is the owner's.
    database: Deno.env.get('MILLRACE_DATABASE_URL') ?? '',
    pipelines,
    secret: Deno.env.get('MILLRACE_WORKER_SECRET'),
    // A minute's schedule finds it gone, or wakes no second one. The platform ends a request after 150 s.
    withinMs: 55_000,
    slots: 10,
    connectionsMax: 2,
  }),
)
