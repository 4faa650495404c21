// The files in deploy: each starts what there is, stops it as it wants to be stopped, and is what its reader takes.
import { fork, spawnSync } from 'node:child_process'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createProgram } from '../src/cli/program.ts'
import { portDefault } from '../src/cli/listening.ts'
import { openFolder, programFile, sdkAddress } from './commands.ts'
import { createTestDatabase, type TestDatabase } from './database.ts'
import { until } from './deadline.ts'
import {
  composeFile,
  deployFolder,
  deployText,
  dockerfile,
  isThere,
  manifests,
  pmApps,
  podOf,
  startedCommands,
  systemdUnits,
  textOf,
  type Tree,
  wordsOf,
} from './deployment.ts'
import { compiled, type Program, startCompiled } from './program.ts'

const commands = startedCommands()
/** Of worker.drainMs, in seconds, with what a process needs besides. */
const secondsToStop = 40

let database: TestDatabase
let project: ReturnType<typeof openFolder>
beforeAll(async () => {
  database = await createTestDatabase()
  project = openFolder({ DATABASE_URL: database.url })
  project.write(
    'millrace.config.ts',
    `
import { defineConfig, pipeline } from ${JSON.stringify(sdkAddress)}
export default defineConfig({ pipelines: [pipeline('deployed').step('say', ({ input }) => input)] })
`,
  )
})
afterAll(async () => {
  project.close()
  await database.close()
})

test.each(commands)('FO-2 %s starts a command that there is, with options that it takes', (_file, args) => {
  const program = createProgram(() => {
    throw new Error('nothing is run')
  }, '0')
  const command = program.commands.find((one) => one.name() === args[0])
  expect(command).toBeDefined()
  let reached = false
  command!.exitOverride().action(() => {
    reached = true
  })
  program.exitOverride().parse([...args], { from: 'user' })
  expect(reached).toBe(true)
})

test('FO-2 systemd, PM2, containers and Kubernetes each migrate, serve and work, or say who migrates', () => {
  const ofKind = (kind: RegExp) =>
    commands
      .filter(([file]) => kind.test(file))
      .map(([, args]) => args[0])
      .sort()
  expect(ofKind(/^systemd/)).toEqual(['migrate', 'start', 'worker'])
  expect(ofKind(/^compose/)).toEqual(['migrate', 'start', 'worker'])
  expect(ofKind(/^kubernetes/)).toEqual(['migrate', 'start', 'worker'])
  expect(ofKind(/^pm2/)).toEqual(['start', 'worker'])
  expect(deployText('pm2/ecosystem.config.cjs')).toContain('npx millrace migrate')
})

/** Runs a command of the files until it is there, stops it as its file does, and gives what it ended with. */
async function runsAndStops(
  start: () => Program,
  isUp: (program: Program) => boolean | Promise<boolean>,
): Promise<number | NodeJS.Signals> {
  const program = start()
  try {
    await until('it is up', () => {
      if (program.child.exitCode !== null) throw new Error(program.printed())
      return isUp(program)
    })
    program.child.kill('SIGTERM')
    return await program.ended
  } finally {
    await program.kill()
  }
}

const environment = () => ({ DATABASE_URL: database.url })
const config = () => ['--config', path.join(project.folder, 'millrace.config.ts')]
const workersNamed = (name: string) =>
  database.query(`select from millrace.worker where name = $1 and state <> 'gone' and state <> 'starting'`, [
    name,
  ])

test('FO-2 the worker that a unit starts serves, and ends well with SIGTERM', async () => {
  const [, args] = commands.find(([file]) => file.startsWith('systemd/millrace-worker'))!
  const status = await runsAndStops(
    () => startCompiled(programFile, [...args, ...config()], environment()),
    async () => (await workersNamed('host-1')).length === 1,
  )
  expect(status).toBe(0)
  expect(await workersNamed('host-1')).toEqual([])
}, 90_000)

test('FO-2 the server that a container starts listens for its proxy, is live and ready, and ends well with SIGTERM', async () => {
  const [, args] = commands.find(([file]) => file === 'kubernetes server')!
  let address: string | undefined
  const status = await runsAndStops(
    () => startCompiled(programFile, [...args, '--port', '0', '--json', ...config()], environment()),
    async (program) => {
      const line = program
        .output()
        .split('\n')
        .find((one) => one.includes('"address"') && one.endsWith('}'))
      if (line === undefined) return false
      address = (JSON.parse(line) as { address: string }).address.replace('0.0.0.0', '127.0.0.1')
      return (await fetch(`${address}/health/ready`)).ok
    },
  )
  expect(address).toBeDefined()
  expect(status).toBe(0)
}, 90_000)

test('FO-2 a process manager that opens a channel, as PM2 does, stops a worker by its signal', async () => {
  const child = fork(compiled(programFile), ['worker', '--name', 'managed', ...config()], {
    env: { ...process.env, ...environment() },
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  })
  const ended = new Promise<number | null>((resolve) => child.on('exit', resolve))
  try {
    await until('it serves', async () => (await workersNamed('managed')).length === 1)
    child.kill('SIGINT')
    expect(await ended).toBe(0)
  } finally {
    child.kill('SIGKILL')
  }
}, 90_000)

describe('FO-2 systemd', () => {
  test.skipIf(!isThere('systemd-analyze'))('takes each unit without a remark', () => {
    const units = systemdUnits.map((file) => path.join(deployFolder, 'systemd', file))
    const { status, stderr, stdout } = spawnSync('systemd-analyze', ['verify', '--man=no', ...units], {
      encoding: 'utf8',
    })
    expect({ status, said: stderr + stdout }).toEqual({ status: 0, said: '' })
  })

  test('waits for what a worker holds, gives up on a wrong configuration, and hands the database to no command line', () => {
    for (const file of systemdUnits) {
      const text = deployText(`systemd/${file}`)
      expect(text).toContain('EnvironmentFile=/etc/millrace/millrace.env')
      expect(text).toContain('NoNewPrivileges=yes')
      expect(text).toMatch(/^User=millrace$/m)
      if (file.includes('migrate')) continue
      expect(Number(/^TimeoutStopSec=(\d+)$/m.exec(text)?.[1])).toBeGreaterThanOrEqual(secondsToStop)
      expect(text).toMatch(/^RestartPreventExitStatus=2$/m)
    }
  })
})

test('FO-2 PM2 gives each process its time to stop, and makes no cluster of it', () => {
  for (const app of pmApps()) {
    expect(app.exec_mode).toBe('fork')
    expect(app.kill_timeout).toBeGreaterThanOrEqual(secondsToStop * 1_000)
    expect(app.script).toBe('node_modules/.bin/millrace')
  }
})

describe('FO-2 containers', () => {
  test('the image runs as nobody special, hears signals itself, and installs without scripts', () => {
    const lines = dockerfile()
    const said = (instruction: string) => lines.filter(([one]) => one === instruction).map(([, rest]) => rest)
    const known = [
      'FROM',
      'WORKDIR',
      'COPY',
      'RUN',
      'ENV',
      'USER',
      'EXPOSE',
      'STOPSIGNAL',
      'ENTRYPOINT',
      'CMD',
    ]
    expect(lines.filter(([instruction]) => !known.includes(instruction))).toEqual([])
    expect(said('FROM').every((image) => /^node:\d+-\S+/.test(image))).toBe(true)
    expect(said('USER')).toEqual(['node'])
    expect(JSON.parse(said('ENTRYPOINT')[0]!)).toEqual(['node', 'node_modules/.bin/millrace'])
    expect(said('STOPSIGNAL')).toEqual(['SIGTERM'])
    expect(said('EXPOSE')).toEqual([String(portDefault)])
    expect(said('RUN')[0]).toContain('npm ci --omit=dev --ignore-scripts')
    expect(deployText('container/Dockerfile.dockerignore').split('\n')).toEqual(
      expect.arrayContaining(['node_modules', '.env']),
    )
  })

  test('compose names networks, volumes and services that are there, and lets nobody in but through the proxy', () => {
    const { services, networks, volumes } = composeFile()
    for (const [name, service] of Object.entries(services!)) {
      for (const network of wordsOf(service.networks)) expect(networks).toHaveProperty([network])
      for (const other of Object.keys(service.depends_on ?? {})) expect(services).toHaveProperty([other])
      for (const mount of wordsOf(service.volumes)) {
        const [source] = mount.split(':')
        if (!source!.startsWith('.')) expect(volumes).toHaveProperty([source!])
      }
      if (name !== 'proxy') expect(service.ports).toBeUndefined()
      if (textOf(service.image) === 'my-pipelines') expect(service.stop_grace_period).toBe('45s')
    }
    const [inside] = networks!.inside!.ipam!.config!
    expect(wordsOf(services!.server!.command)).toContain(textOf(inside!.subnet))
    expect(deployText('container/Caddyfile')).toContain(`server:${portDefault}`)
  })
})

describe('FO-2 Kubernetes', () => {
  const all = manifests()
  const ofKind = (kind: string) => all.filter((one) => textOf(one.kind) === kind)
  const named = (kind: string, name: Tree | undefined) =>
    ofKind(kind).find(({ metadata }) => metadata!.name === name)

  test('every pod keeps to the restricted profile that its namespace enforces, and has bounds', () => {
    const pods = all.flatMap((one) => podOf(one) ?? [])
    expect(pods.length).toBe(3)
    for (const pod of pods) {
      expect(pod.securityContext).toMatchObject({
        runAsNonRoot: true,
        seccompProfile: { type: 'RuntimeDefault' },
      })
      for (const container of pod.containers!) {
        expect(container.securityContext).toEqual({
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        })
        expect(container.resources).toMatchObject({
          requests: { memory: expect.any(String) },
          limits: { memory: expect.any(String) },
        })
      }
    }
    expect(ofKind('Namespace')[0]!.metadata!.labels).toMatchObject({
      'pod-security.kubernetes.io/enforce': 'restricted',
    })
  })

  test('names lead to what is there: services to pods, the ingress and KEDA to what they point at', () => {
    const labelled = ofKind('Deployment').map(({ spec }) => spec!.template!.metadata!.labels)
    for (const { spec } of ['Service', 'PodDisruptionBudget', 'Deployment'].flatMap(ofKind))
      expect(labelled).toContainEqual(expect.objectContaining(spec!.selector!.matchLabels ?? spec!.selector!))
    for (const { spec } of ofKind('Deployment'))
      expect(spec!.template!.spec!.terminationGracePeriodSeconds).toBeGreaterThanOrEqual(secondsToStop)
    const [server] = all.filter(
      ({ metadata, kind }) => `${textOf(kind)} ${textOf(metadata!.name)}` === 'Deployment millrace-server',
    )
    const [container] = podOf(server!)!.containers!
    expect(container!.ports).toEqual([{ name: 'http', containerPort: portDefault }])
    const probes = ['startupProbe', 'livenessProbe', 'readinessProbe']
    expect(probes.map((probe) => textOf(container![probe]!.httpGet!.path))).toEqual([
      '/health/live',
      '/health/live',
      '/health/ready',
    ])
    for (const { spec } of ofKind('Ingress'))
      for (const { http } of spec!.rules!)
        for (const { backend } of http!.paths!) {
          const service = named('Service', backend!.service!.name)
          expect([...service!.spec!.ports!].map(({ name }) => name)).toContain(backend!.service!.port!.name)
        }
  })

  test('KEDA counts what there is to do, with no more rights than a viewer, and leaves somebody for the schedules', async () => {
    const [scaled] = ofKind('ScaledObject')
    const { scaleTargetRef, minReplicaCount, triggers } = scaled!.spec!
    // Two would pull at the same number.
    expect(named('Deployment', scaleTargetRef!.name)!.spec!.replicas).toBeUndefined()
    expect(minReplicaCount).toBeGreaterThan(0)
    const [{ type, metadata, authenticationRef }] = triggers as unknown as [Tree]
    expect(type).toBe('postgresql')
    expect(named('TriggerAuthentication', authenticationRef!.name)).toBeDefined()
    // As many tasks as a worker has slots, unless it is told another number.
    expect(metadata!.targetQueryValue).toBe('20')
    const client = await database.pool.connect()
    try {
      await client.query('begin; set local role millrace_viewer')
      const { rows, fields } = await client.query<Record<string, string>>(textOf(metadata!.query))
      expect(fields).toHaveLength(1)
      expect(Number(rows[0]![fields[0]!.name])).toBeGreaterThanOrEqual(0)
    } finally {
      await client.query('rollback')
      client.release()
    }
  })
})
