// Next.js: app/api/millrace/[...path]/route.ts
import { openServer } from '../../src/server/index.ts'
import { serverOptions } from './options.ts'

// Once a process, with the first request.
let opened: ReturnType<typeof openServer> | undefined

async function handler(request: Request): Promise<Response> {
  opened ??= openServer(serverOptions(process.env['DATABASE_URL'] ?? ''))
  return (await opened).fetch(request)
}

export { handler as DELETE, handler as GET, handler as PATCH, handler as POST, handler as PUT }
