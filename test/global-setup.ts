// The server that all tests share, and the migrated database from which each test file copies its own.
import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { inspect } from 'node:util'
import type { TestProject } from 'vitest/node'
import { dropAbandonedCopies, dropTemplate, ensureTemplate, onServer } from '../src/db/test-databases.ts'
import { compilePrograms } from './compiled-programs.ts'
import { makeScratchFolder, removeAbandonedScratch, scratchRoot, translationsName } from './scratch.ts'
import { startTestServer, type TestServer } from './test-server.ts'

declare module 'vitest' {
  export interface ProvidedContext {
    /** A superuser's address of the test server; its database may be used to create others. */
    testServerUrl: string
    /** The database that is copied; nobody can connect to it. */
    testTemplate: string
    /** Why the template could not be migrated; empty when it was. */
    testTemplateFault: string
    /** Where the programs that tests start lie compiled, in the shape of the project. */
    compiledFolder: string
    /** Where lies what is kept between runs: what tsx has translated, an unpacked browser. */
    machineFolder: string
    /** Where test files have their temporary folders. */
    scratchRoot: string
    /** How long what was told to end may take before it counts as left behind. */
    graceMs: number
  }
}

/** Points at a server to test against instead of the embedded one; its superuser is needed. */
const SERVER_VARIABLE = 'MILLRACE_TEST_DATABASE_URL'

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const machineFolder = os.tmpdir()
  fs.mkdirSync(path.join(machineFolder, translationsName), { recursive: true })
  // For the processes of the tests as well.
  const scratch = scratchRoot()
  process.env['TMPDIR'] = scratch
  await removeAbandonedScratch()
  const compiled = makeScratchFolder()
  const [server] = await Promise.all([findServer(), compilePrograms(compiled)])
  const template = `millrace_test_${randomBytes(4).toString('hex')}`
  const fault = await createTemplate(server.url, template)
  project.provide('testTemplateFault', fault)
  project.provide('testServerUrl', server.url)
  project.provide('testTemplate', template)
  project.provide('compiledFolder', compiled)
  project.provide('machineFolder', machineFolder)
  project.provide('scratchRoot', scratch)
  project.provide('graceMs', 10_000)
  return async () => {
    // Also what a killed test file left behind.
    await dropTemplate(server.url, template)
    await onServer(server.url, dropAbandonedCopies)
    await server.stop()
    fs.rmSync(compiled, { recursive: true, force: true })
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
