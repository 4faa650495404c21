// A client and a worker in this process, for the time of a measurement.
import { type Client, connect, type PipelineDefinition, startWorker, type Worker } from './product.ts'

export interface LocalWorkerOptions {
  readonly database: string
  readonly pipelines: readonly PipelineDefinition[]
  readonly slots?: number
}

export async function withLocalWorker<T>(
  options: LocalWorkerOptions,
  work: (both: { client: Client; worker: Worker }) => Promise<T>,
): Promise<T> {
  const client = connect({ database: options.database })
  const worker = await startWorker(options)
  try {
    return await work({ client, worker })
  } finally {
    await worker.stop()
    await client.close()
  }
}

export async function withClient<T>(database: string, work: (client: Client) => Promise<T>): Promise<T> {
  const client = connect({ database })
  try {
    return await work(client)
  } finally {
    await client.close()
  }
}
