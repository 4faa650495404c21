// The test engine of millrace/testing on the server and the template of this project's own tests.
import { inject } from 'vitest'
import { createEngineOn, type TestEngine, type TestEngineOptions } from '../src/testing/engine.ts'
import { testTemplate } from './database.ts'

export function createEngine(
  pipelines: TestEngineOptions['pipelines'],
  options: Omit<TestEngineOptions, 'pipelines' | 'server'> = {},
): Promise<TestEngine> {
  return createEngineOn(
    { server: inject('testServerUrl'), template: testTemplate() },
    { ...options, pipelines },
  )
}
