// The files in deploy, as a test reads them: what each starts, and what Kubernetes is given.
import { execFileSync, spawnSync } from 'node:child_process'
import fs from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parse, parseAllDocuments } from 'yaml'

export const deployFolder: string = fileURLToPath(new URL('../deploy/', import.meta.url))

export const deployText = (file: string): string => fs.readFileSync(path.join(deployFolder, file), 'utf8')

export const systemdUnits: readonly string[] = fs
  .readdirSync(path.join(deployFolder, 'systemd'))
  .filter((file) => file.endsWith('.service'))

/** Whether a program can be had on this machine. */
export const isThere = (program: string): boolean => spawnSync(program, ['--version']).error === undefined

export interface PmApp {
  readonly name: string
  readonly script: string
  readonly args: string
  readonly exec_mode: string
  readonly instances: number
  readonly kill_timeout: number
}

export const pmApps = (): readonly PmApp[] =>
  (createRequire(import.meta.url)(path.join(deployFolder, 'pm2/ecosystem.config.cjs')) as { apps: PmApp[] })
    .apps

/** What stands in a YAML file, of which a test claims itself what it is. */
export interface Tree extends Iterable<Tree> {
  readonly [name: string]: Tree
}

/** @throws where it is none */
export function textOf(leaf: Tree | undefined): string {
  const text: unknown = leaf
  if (typeof text === 'string') return text
  throw new Error(`this is no text: ${JSON.stringify(leaf)}`)
}

/** A list of texts. */
export const wordsOf = (list: Tree | undefined): string[] => [...(list ?? [])].map(textOf)

export const composeFile = (): Tree => parse(deployText('container/compose.yaml'), { merge: true }) as Tree

/** What the Dockerfile says, instruction by instruction. */
export const dockerfile = (): readonly (readonly [instruction: string, rest: string])[] =>
  deployText('container/Dockerfile')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => [line.split(' ')[0]!, line.slice(line.indexOf(' ') + 1)] as const)

/** As they are written; rendered where kubectl can be had. */
export function manifests(): readonly Tree[] {
  if (isThere('kubectl')) {
    const rendered = execFileSync('kubectl', ['kustomize', path.join(deployFolder, 'kubernetes')], {
      encoding: 'utf8',
    })
    return documentsIn(rendered)
  }
  return fs
    .readdirSync(path.join(deployFolder, 'kubernetes'))
    .filter((file) => file.endsWith('.yaml') && file !== 'kustomization.yaml')
    .flatMap((file) => documentsIn(deployText(`kubernetes/${file}`)))
}

function documentsIn(text: string): readonly Tree[] {
  return parseAllDocuments(text).map((document) => {
    if (document.errors.length > 0) throw document.errors[0]!
    return document.toJS() as Tree
  })
}

/** The pod of a Deployment, or of whatever else has one. */
export const podOf = (manifest: Tree): Tree | undefined => manifest.spec?.template?.spec

/** Every command line of Millrace that a file in deploy starts. */
export function startedCommands(): readonly (readonly [file: string, args: readonly string[]])[] {
  const units = systemdUnits.map((file) => {
    const [, args] = /^ExecStart=\/usr\/bin\/env node node_modules\/\.bin\/millrace (.+)$/m.exec(
      deployText(`systemd/${file}`),
    )!
    return [`systemd/${file}`, args!.replace('%H-%i', 'host-1').split(' ')] as const
  })
  const apps = pmApps().map(({ name, args }) => [`pm2 ${name}`, args.split(' ')] as const)
  const image = dockerfile()
    .filter(([instruction]) => instruction === 'CMD')
    .map(([, args]) => ['Dockerfile', JSON.parse(args) as string[]] as const)
  const services = Object.entries(composeFile().services!)
    .filter(([, { image }]) => textOf(image) === 'my-pipelines')
    .map(([name, { command }]) => [`compose ${name}`, wordsOf(command)] as const)
  const pods = manifests().flatMap((manifest) =>
    [...(podOf(manifest)?.containers ?? [])].map(
      ({ name, args }) => [`kubernetes ${textOf(name)}`, wordsOf(args)] as const,
    ),
  )
  return [...units, ...apps, ...image, ...services, ...pods]
}
