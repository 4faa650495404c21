// The operations on artifacts: what a run wrote that is larger than a value.
import { z } from 'zod'
import { operation } from './operation.ts'
import { runParams } from './run-params.ts'
import { time, uuid } from './values.ts'

const listArtifacts = operation({
  name: 'listArtifacts',
  method: 'get',
  path: '/runs/{run}/artifacts',
  tag: 'artifacts',
  summary: 'List the artifacts of a run.',
  access: { scope: 'runs:read', role: 'viewer', subject: 'run' },
  params: runParams,
  answer: z.object({
    items: z.array(
      z
        .object({
          run: uuid,
          artifact: z.string(),
          type: z.string(),
          size: z.int().describe('In bytes.'),
          sha256: z.string().describe('Of its bytes, in hex.'),
          step: z.string(),
          item: z.int().nullable(),
          attempt: z.int(),
          created_at: time,
        })
        .meta({ id: 'Artifact' }),
    ),
  }),
})

const readArtifact = operation({
  name: 'readArtifact',
  method: 'get',
  path: '/runs/{run}/artifacts/{artifact}',
  tag: 'artifacts',
  summary:
    'Download an artifact. Where its bytes are not those that were written, the connection breaks off before their end.',
  access: { scope: 'payloads:read', role: 'viewer', subject: 'run' },
  params: runParams.extend({ artifact: z.string().min(1).max(200) }),
  media: 'application/octet-stream',
  errors: ['artifact_unknown', 'artifact_store_missing'],
})

export const artifactOperations = { listArtifacts, readArtifact } as const
