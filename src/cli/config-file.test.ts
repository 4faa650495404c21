// The configuration file: where it is found, what it may be written in, and what is said of one that can't be loaded.
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Caller, echoConfig, openFolder, sdkAddress } from '../../test/commands.ts'
import { until } from '../../test/deadline.ts'
import { findConfig, loadConfig } from './config-file.ts'

let project: Caller
beforeEach(() => {
  project = openFolder()
})
afterEach(() => project.close())

const sdk = JSON.stringify(sdkAddress)

test('it is found in the nearest folder above', () => {
  const file = project.write('millrace.config.ts', '')
  const nearer = project.write('a/millrace.config.mjs', '')
  project.write('a/b/c/readme.md', '')
  expect(findConfig(path.join(project.folder, 'a/b/c'))).toBe(nearer)
  expect(findConfig(project.folder)).toBe(file)
})

test.each(['module', 'commonjs', undefined])(
  'TypeScript is loaded in a package of type %s, with what it imports',
  async (type) => {
    project.write('package.json', JSON.stringify({ type }))
    project.write(
      'pipelines/one.ts',
      `import { pipeline } from ${sdk}\nexport const one = pipeline('one').step('a', (): number => 1)\n`,
    )
    const file = project.write(
      'millrace.config.ts',
      "import { one } from './pipelines/one.ts'\nexport default { pipelines: [one] }\n",
    )
    const imported: string[] = []
    const { config } = await loadConfig(file, (name) => imported.push(name))
    expect(config.pipelines.map(({ slug }) => slug)).toEqual(['one'])
    // The loader runs in a thread of its own, and tells a little later.
    const own = [file, path.join(project.folder, 'pipelines/one.ts')]
    await until('both files are told', async () => own.every((name) => imported.includes(name)))
  },
)

test.each(['js', 'mjs', 'mts'])('a configuration ending in .%s is loaded', async (ending) => {
  project.write('package.json', '{"type": "module"}')
  const { config } = await loadConfig(project.write(`millrace.config.${ending}`, echoConfig))
  expect(config.pipelines).toHaveLength(1)
})

test('PP-C13 a setting that does not exist is named', async () => {
  const file = project.write(
    'millrace.config.ts',
    "export default { pipelines: [], databse: 'postgres://localhost/app' }\n",
  )
  await expect(loadConfig(file)).rejects.toMatchObject({
    code: 'config_invalid',
    message: expect.stringContaining('databse'),
  })
})

test('a file that throws, does not parse or imports what is gone is named with the reason', async () => {
  const throwing = project.write('throws.ts', "throw new Error('no luck')\n")
  await expect(loadConfig(throwing)).rejects.toMatchObject({
    code: 'config_not_loadable',
    message: 'throws.ts cannot be loaded: no luck.',
  })
  await expect(loadConfig(project.write('parse.ts', 'export default {\n'))).rejects.toMatchObject({
    code: 'config_not_loadable',
  })
  await expect(loadConfig(project.write('gone.ts', "import './away.ts'\n"))).rejects.toMatchObject({
    message: expect.stringContaining('away.ts'),
  })
})

test('a package that is not installed is told with how to install it', async () => {
  const file = project.write('needs.ts', "import { x } from 'not-there-at-all'\nexport default x\n")
  await expect(loadConfig(file)).rejects.toMatchObject({
    code: 'config_not_loadable',
    message: expect.stringContaining("'not-there-at-all'"),
    hint: 'Install what it imports with: npm install',
  })
})

test('a file without a default export is told what to end with', async () => {
  await expect(loadConfig(project.write('a.mts', 'export const config = {}\n'))).rejects.toMatchObject({
    code: 'config_invalid',
    message: 'a.mts has no default export.',
  })
  await expect(loadConfig(path.join(project.folder, 'none.ts'))).rejects.toMatchObject({
    code: 'config_missing',
  })
})

test('an error of a pipeline says by itself what is wrong', async () => {
  const file = project.write(
    'bad.mts',
    `import { pipeline } from ${sdk}\nexport default { pipelines: [pipeline('Not A Name')] }\n`,
  )
  await expect(loadConfig(file)).rejects.toMatchObject({ code: 'pipeline_name_invalid' })
})
