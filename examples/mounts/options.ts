// What the server of these examples serves: one pipeline, and a webhook that starts it.
import { pipeline, webhook } from '../../src/sdk/index.ts'
import type { ServerOptions } from '../../src/server/index.ts'

const greet = pipeline('greet').step('say', ({ input }) => input)

/** Under which path of the application it is mounted. */
export const basePath = '/api/millrace'

export function serverOptions(database: string): ServerOptions {
  return {
    database,
    basePath,
    pipelines: [greet],
    triggers: [webhook('people', { provider: 'standard', secret: 'hooks/people', pipeline: greet })],
  }
}
