// All scenes, and their cast as one release writes it.
import type { PipelineDefinition } from '../../src/sdk/pipeline-definition.ts'
import type { Trigger } from '../../src/sdk/trigger.ts'
import type { Scene, World } from './scene.ts'
import { dataScenes } from './scenes-data.ts'
import { stepScenes } from './scenes-steps.ts'
import { triggerScenes } from './scenes-triggers.ts'
import { waitScenes } from './scenes-waits.ts'

/** What every client and worker of the scenes is given besides the database. */
export const sceneOptions = {
  encryptionKeys: { kept: Buffer.alloc(32, 7).toString('base64') },
  // Nobody listens there: what is to be told waits for another try.
  allowTargets: ['http://127.0.0.1:9'],
}

export const scenesSince = (migration: number): Scene[] =>
  [...stepScenes, ...waitScenes, ...dataScenes, ...triggerScenes].filter(({ since }) => since <= migration)

export interface Cast {
  readonly pipelines: readonly PipelineDefinition[]
  readonly triggers: readonly Trigger[]
  /** Those of each scene, by its name. */
  readonly own: ReadonlyMap<string, readonly PipelineDefinition[]>
}

/** All pipelines and triggers of the scenes, written with the code of one release. */
export function castOf(scenes: readonly Scene[], world: World): Cast {
  const own = new Map(scenes.map((scene) => [scene.name, scene.pipelines(world)]))
  return {
    own,
    pipelines: [...own.values()].flat(),
    triggers: scenes.flatMap(({ name, triggers }) => triggers?.(world, own.get(name) ?? []) ?? []),
  }
}
