// Express: mounted before express.json(), which would read the body of every request.
import type { RequestListener, ServerResponse } from 'node:http'
// @ts-expect-error Its types are a package of their own: @types/express.
import express from 'express'
import { requestListener, type Server } from '../../src/server/index.ts'
import { basePath } from './options.ts'

export function expressApp(millrace: Server): RequestListener {
  const app = express()
  app.all(`${basePath}/*path`, requestListener(millrace.fetch))
  app.use(express.json())
  app.get('/', (_request: unknown, response: ServerResponse) => response.end('the application'))
  return app
}
