// Fastify: a scope of its own without parsers, so that bodies come as they are, and Fastify's answer is left to Millrace.
import { fastify } from 'fastify'
import { requestListener, type Server } from '../../src/server/index.ts'
import { basePath } from './options.ts'

export async function fastifyApp(millrace: Server): Promise<ReturnType<typeof fastify>> {
  const app = fastify()
  const listener = requestListener(millrace.fetch)
  app.get('/', () => 'the application')
  await app.register((scope, _options, done) => {
    scope.removeAllContentTypeParsers()
    scope.addContentTypeParser('*', (_request, _payload, parsed) => parsed(null))
    scope.all(`${basePath}/*`, (request, reply) => {
      reply.hijack()
      listener(request.raw, reply.raw)
    })
    done()
  })
  return app
}
