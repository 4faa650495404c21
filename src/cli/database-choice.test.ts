// Which database a command works on: the order of the sources, and the embedded one as the last.
import fs from 'node:fs'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Caller, openFolder } from '../../test/commands.ts'
import { chooseDatabase, findEmbedded } from './database-choice.ts'

let project: Caller
beforeEach(() => {
  project = openFolder()
})
afterEach(() => project.close())

const sources = () => ({
  option: undefined,
  config: undefined,
  environment: {},
  project: project.folder,
  mayCreate: false,
})
const config = { database: 'postgres://config/app', directDatabase: 'postgres://direct/app', pipelines: [] }
const environment = { DATABASE_URL: 'postgres://environment/app' }

test('the command line comes before the configuration, and that before the environment', async () => {
  expect(
    await chooseDatabase({ ...sources(), option: 'postgres://option/app', config, environment }),
  ).toMatchObject({
    url: 'postgres://option/app',
    directUrl: undefined,
    source: 'option',
  })
  expect(await chooseDatabase({ ...sources(), config, environment })).toMatchObject({
    url: 'postgres://config/app',
    directUrl: 'postgres://direct/app',
  })
  expect(await chooseDatabase({ ...sources(), environment })).toMatchObject({ source: 'environment' })
})

test('an empty variable is as good as none', async () => {
  const found = { MILLRACE_DATABASE_URL: ' ', DATABASE_URL: 'postgres://environment/app' }
  expect(await chooseDatabase({ ...sources(), environment: found })).toMatchObject({
    url: 'postgres://environment/app',
  })
})

test('PP-C13 without any the error names the variable, and no server is made', async () => {
  await expect(chooseDatabase(sources())).rejects.toMatchObject({
    code: 'config_variable_missing',
    fields: { variable: 'DATABASE_URL' },
  })
  expect(fs.readdirSync(project.folder)).toEqual([])
})

test('an embedded server is found from any folder of its project', () => {
  const folder = path.join(project.folder, 'src/deep')
  fs.mkdirSync(folder, { recursive: true })
  expect(findEmbedded(folder)).toBeUndefined()
  fs.mkdirSync(path.join(project.folder, '.millrace/postgres'), { recursive: true })
  expect(findEmbedded(folder)).toBe(path.join(project.folder, '.millrace'))
})
