// A listener for webhooks in a process of its own, as `millrace webhook listen` runs it: tells its parent the port. BENCH_LISTENER: the JSON of
// {database, encryptionKeys}.
import { productModule } from './product-folder.mjs'

const { connect, pipeline, webhook } = await import(productModule('sdk/index.js'))
const { listenForWebhooks } = await import(productModule('server/webhook-server.js'))

const { database, encryptionKeys } = JSON.parse(process.env.BENCH_LISTENER)

const client = connect({ database, encryptionKeys })
const people = pipeline('people').step('keep', ({ input }) => input)
const inbox = webhook('people', { provider: 'standard', secret: 'bench', pipeline: people })
const onError = (error) => console.error(error)
const server = await listenForWebhooks(client.webhooks.handler([inbox], { onError }), { port: 0 })
process.send({ port: server.port })

process.once('disconnect', () => process.exit(1))
process.once('SIGTERM', () => void server.close().then(() => process.exit(0)))
