// What init writes into a project, and what it leaves alone.
import fs from 'node:fs'
import path from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { type Caller, openFolder } from '../../test/commands.ts'

let project: Caller
beforeEach(() => {
  project = openFolder()
})
afterEach(() => project.close())

const read = (name: string): string => fs.readFileSync(path.join(project.folder, name), 'utf8')

test('FO-3 in an empty folder one command writes all that a first pipeline needs, and names the next command', async () => {
  const { status, stdout } = await project.call('init')
  expect(status).toBe(0)
  expect(stdout).toContain('wrote  millrace.config.ts     what every command reads\n')
  expect(stdout).toContain('\nNext:\n  npm install\n  npx millrace dev\n')
  expect(JSON.parse(read('package.json'))).toMatchObject({
    private: true,
    type: 'module',
    scripts: { dev: 'millrace dev' },
    dependencies: { millrace: expect.stringMatching(/^\^\d/), zod: expect.stringMatching(/^\^4/) },
  })
  expect(read('.gitignore')).toBe('.millrace/\n')
  expect(read('millrace.config.ts')).toContain("import { hello } from './pipelines/hello.ts'")
})

test('called again it keeps everything', async () => {
  await project.call('init')
  project.write('pipelines/hello.ts', '// mine\n')
  const before = ['package.json', '.gitignore', 'millrace.config.ts'].map(read)
  const { stdout } = await project.call('init', '--json')
  const { files } = JSON.parse(stdout) as { files: { did: string }[] }
  expect(files.map(({ did }) => did)).toEqual(['kept', 'kept', 'kept', 'kept'])
  expect(['package.json', '.gitignore', 'millrace.config.ts'].map(read)).toEqual(before)
  expect(read('pipelines/hello.ts')).toBe('// mine\n')
})

test('a package.json keeps what it has and gets what is missing', async () => {
  project.write(
    'package.json',
    '{"name": "app", "type": "commonjs", "scripts": {"dev": "next dev"}, "dependencies": {"zod": "4.0.0"}}',
  )
  project.write('.gitignore', 'dist')
  await project.call('init')
  expect(JSON.parse(read('package.json'))).toEqual({
    name: 'app',
    type: 'commonjs',
    scripts: { dev: 'next dev' },
    dependencies: { zod: '4.0.0', millrace: expect.stringMatching(/^\^/) },
  })
  expect(read('.gitignore')).toBe('dist\n.millrace/\n')
})

test('what npm init wrote becomes a module, though npm calls it commonjs', async () => {
  const scripts = { test: 'echo "Error: no test specified" && exit 1' }
  project.write('package.json', JSON.stringify({ name: 'app', main: 'index.js', type: 'commonjs', scripts }))
  const { stdout } = await project.call('init')
  expect(stdout).toContain('"type": "module"')
  expect(JSON.parse(read('package.json'))).toMatchObject({ type: 'module', scripts })
})

test('a package with scripts of its own does not become a module, which would break them', async () => {
  project.write('package.json', '{"name": "app"}')
  project.write('server.js', "const http = require('node:http')\n")
  await project.call('init')
  expect(JSON.parse(read('package.json'))).not.toHaveProperty('type')
})

test('it does not become one wherever they lie, or where a command of it may have no extension', async () => {
  project.write('package.json', '{"name": "app", "main": "lib/index.js"}')
  project.write('lib/inner/index.js', "module.exports = require('node:http')\n")
  project.write('node_modules/other/index.js', '')
  await project.call('init')
  expect(JSON.parse(read('package.json'))).not.toHaveProperty('type')
  fs.rmSync(path.join(project.folder, 'lib'), { recursive: true })
  fs.rmSync(path.join(project.folder, 'pipelines'), { recursive: true })
  fs.rmSync(path.join(project.folder, 'millrace.config.ts'))
  project.write('package.json', '{"name": "app", "bin": "app"}')
  await project.call('init')
  expect(JSON.parse(read('package.json'))).not.toHaveProperty('type')
})

test('a folder that may not be read has no scripts of the package, and none is looked for where its type is decided', async () => {
  project.write('package.json', '{"name": "app"}')
  project.write('pgdata/PG_VERSION', '17\n')
  const closed = Object.assign(new Error('EACCES: permission denied'), { code: 'EACCES' })
  const readFolder = fs.readdirSync
  // By its mode it would be closed to everybody but root.
  const spy = vi.spyOn(fs, 'readdirSync').mockImplementation(((folder: string, options: object) => {
    if (path.basename(folder) === 'pgdata') throw closed
    return readFolder(folder, options)
  }) as typeof fs.readdirSync)
  expect(await project.call('init')).toMatchObject({ status: 0 })
  expect(JSON.parse(read('package.json'))).toMatchObject({ type: 'module' })
  expect(spy).toHaveBeenCalledWith(path.join(project.folder, 'pgdata'), expect.anything())
  spy.mockClear()
  await project.call('init')
  expect(spy).not.toHaveBeenCalledWith(path.join(project.folder, 'pgdata'), expect.anything())
  spy.mockRestore()
})

test('a package.json keeps its indent', async () => {
  project.write('package.json', '{\n\t"name": "app",\n\t"scripts": {\n\t\t"dev": "next dev"\n\t}\n}\n')
  await project.call('init')
  expect(read('package.json')).toContain('\n\t"scripts": {\n\t\t"dev": "next dev"\n\t},\n')
})

test('another form of the configuration is kept, and none is written beside it', async () => {
  project.write('millrace.config.mjs', 'export default { pipelines: [] }\n')
  await project.call('init')
  expect(fs.existsSync(path.join(project.folder, 'millrace.config.ts'))).toBe(false)
})

test('a package.json that is no JSON is not touched', async () => {
  project.write('package.json', '{oops')
  const { status, stderr } = await project.call('init')
  expect(status).toBe(2)
  expect(stderr).toContain('package.json cannot be read as JSON')
  expect(read('package.json')).toBe('{oops')
})
