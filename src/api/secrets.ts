// The operations on secrets: written, never given back.
import { z } from 'zod'
import { operation } from './operation.ts'
import { changed, name, pageOf, pageQuery, time, uuid, text } from './values.ts'

const secretParams = z.object({ secret: name })
const value = text(65_536, 4)
const reference = text(2_048)

const secret = z
  .object({
    name: z.string(),
    source: z.enum(['table', 'environment', 'aws']),
    reference: z.string().nullable().describe('The environment variable, or the id in AWS Secrets Manager.'),
    version: z.int().describe('Send it as If-Match.'),
    max_age_seconds: z.number().nullable(),
    changed_at: time,
    is_overdue: z.boolean(),
    last_read_at: time.nullable(),
    last_read_run: uuid.nullable(),
    last_read_step: z.string().nullable(),
  })
  .meta({ id: 'Secret' })

const listSecrets = operation({
  name: 'listSecrets',
  method: 'get',
  path: '/secrets',
  tag: 'secrets',
  summary: 'List secrets by name, without their values.',
  access: { scope: 'secrets:read', role: 'viewer', subject: 'installation' },
  query: z.strictObject(pageQuery),
  answer: pageOf(secret),
})

const onSecret = {
  tag: 'secrets',
  params: secretParams,
  access: { scope: 'secrets:write', role: 'admin', subject: 'installation' },
  revised: true,
} as const
const versionAnswer = z.object({ version: z.int() })

const setSecret = operation({
  ...onSecret,
  name: 'setSecret',
  method: 'put',
  path: '/secrets/{secret}',
  summary: 'Write a secret, or its next version: its value, or where it lies.',
  body: z
    .strictObject({
      value: value.optional(),
      environment: reference.optional(),
      aws: reference.optional(),
      max_age_seconds: z.int().min(1).max(3_153_600_000).optional(),
    })
    .refine(
      ({ value, environment, aws }) =>
        [value, environment, aws].filter((one) => one !== undefined).length === 1,
      'it takes one of value, environment and aws',
    ),
  answer: versionAnswer,
  errors: ['secret_invalid', 'encryption_key_missing', 'revision_conflict'],
})

const rotateSecret = operation({
  ...onSecret,
  name: 'rotateSecret',
  method: 'post',
  path: '/secrets/{secret}/rotate',
  summary: 'Write the next version of a secret that there is; without a value where it was changed outside.',
  body: z.strictObject({ value: value.optional() }),
  answer: versionAnswer,
  errors: ['secret_unknown', 'secret_invalid', 'encryption_key_missing', 'revision_conflict'],
})

const removeSecret = operation({
  ...onSecret,
  name: 'removeSecret',
  method: 'delete',
  path: '/secrets/{secret}',
  summary: 'Remove a secret with all its versions.',
  answer: changed,
  errors: ['revision_conflict'],
})

export const secretOperations = { listSecrets, setSecret, rotateSecret, removeSecret } as const
