// Owns what a doctor looks at on this machine: Node, and the configuration.
import path from 'node:path'
import type { Session } from '../session.ts'
import { fail, type Finding, ok, warn } from './finding.ts'

const nodeOldest = [20, 19] as const

export function checkNode(version: string): Finding {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const isOld = major < nodeOldest[0] || (major === nodeOldest[0] && minor < nodeOldest[1])
  const wanted = nodeOldest.join('.')
  return isOld
    ? fail('node', `Node ${version} is older than ${wanted}.`, `Install Node ${wanted} or newer.`)
    : ok('node', `Node ${version}`)
}

export async function checkConfig(session: Session): Promise<Finding> {
  if (session.configFile === undefined) {
    return warn(
      'configuration',
      'There is no millrace.config.ts here or above.',
      'Write one with: npx millrace init',
    )
  }
  const name = path.relative(session.surroundings.folder, session.configFile)
  try {
    const loaded = await session.findConfig()
    const slugs = loaded?.config.pipelines.map(({ slug }) => slug) ?? []
    return slugs.length === 0
      ? warn('configuration', `${name} lists no pipeline.`, 'Add one to its `pipelines`.')
      : ok('configuration', `${name} lists ${slugs.join(', ')}`)
  } catch (error) {
    return fail('configuration', (error as Error).message, `Correct ${name}, or what it imports.`)
  }
}
