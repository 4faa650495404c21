// The server that all tests share, and the migrated database from which each test file copies its own.
import { randomBytes } from 'node:crypto'
import { inspect } from 'node:util'
import type { TestProject } from 'vitest/node'
import { dropAbandonedCopies, dropTemplate, ensureTemplate, onServer } from '../src/db/test-databases.ts'
import { startTestServer, type TestServer } from './test-server.ts'

declare module 'vitest' {
  export interface ProvidedContext {
    /** A superuser's address of the test server; its database may be used to create others. */
    testServerUrl: string
    /** The database that is copied; nobody can connect to it. */
    testTemplate: string
    /** Why the template could not be migrated; empty when it was. */
    testTemplateFault: string
  }
}

/** Points at a server to test against instead of the embedded one; its superuser is needed. */
const SERVER_VARIABLE = 'MILLRACE_TEST_DATABASE_URL'

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const server = await findServer()
  const template = `millrace_test_${randomBytes(4).toString('hex')}`
  const fault = await createTemplate(server.url, template)
  project.provide('testTemplateFault', fault)
  project.provide('testServerUrl', server.url)
  project.provide('testTemplate', template)
  return async () => {
    // Also what a killed test file left behind.
    await dropTemplate(server.url, template)
    await onServer(server.url, dropAbandonedCopies)
    await server.stop()
  }
}

async function findServer(): Promise<TestServer> {
  const given = process.env[SERVER_VARIABLE]
  return given ? { url: given, stop: async () => {} } : startTestServer()
}

/** A migration that fails is told by the tests that need a database; the others still run. */
async function createTemplate(serverUrl: string, template: string): Promise<string> {
  try {
    await ensureTemplate(serverUrl, template)
    return ''
  } catch (error) {
    return inspect(error)
  }
}
