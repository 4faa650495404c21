// Deno, and an edge function of Supabase: supabase/functions/api/index.ts, which is reached under /api.
import { openServer } from '../../src/server/index.ts'
import { serverOptions } from './options.ts'

declare const Deno: {
  readonly env: { get(name: string): string | undefined }
  serve(
    handler: (
      request: Request,
      info: { readonly remoteAddr: { readonly hostname: string } },
    ) => Promise<Response>,
  ): void
}

const millrace = openServer(serverOptions(Deno.env.get('DATABASE_URL') ?? ''))

Deno.serve(async (request, { remoteAddr }) =>
  (await millrace).fetch(request, { remoteAddress: remoteAddr.hostname }),
)
