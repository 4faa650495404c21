// Hono: what is below the path goes to Millrace, everything else to the application.
import { Hono } from 'hono'
import type { Server } from '../../src/server/index.ts'
import { basePath } from './options.ts'

export function honoApp(millrace: Server): Hono {
  const app = new Hono()
  app.get('/', (context) => context.text('the application'))
  app.all(`${basePath}/*`, (context) => millrace.fetch(context.req.raw))
  return app
}
