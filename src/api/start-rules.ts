// The operations on rules on starts: debounce, throttle, latest, and a cap on what waits.
import { z } from 'zod'
import { operation } from './operation.ts'
import { changed, defined, definition, pageOf, pageQuery, slug, text } from './values.ts'

const ruleParams = z.object({ pipeline: slug, rule: slug })
const key = z
  .array(z.array(text(500, 0)).min(1).max(20))
  .max(10)
  .default([])
const ms = z.number().min(1).max(31_536_000_000)

const settings = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('debounce'), key, wait_ms: ms, most_ms: ms.optional() }),
  z.strictObject({
    kind: z.literal('throttle'),
    key,
    starts: z.int().min(1).max(1_000),
    per_ms: ms,
    surplus: z.enum(['refuse', 'coalesce']).optional(),
  }),
  z.strictObject({ kind: z.literal('latest'), key, do: z.enum(['reject newcomer', 'cancel other']) }),
  z.strictObject({ kind: z.literal('waiting'), key, most: z.int().min(1).max(10_000) }),
])

const startRule = z
  .object({
    pipeline: z.string(),
    name: z.string(),
    settings: z.record(z.string(), z.unknown()),
    ...definition,
  })
  .meta({ id: 'StartRule' })

const listStartRules = operation({
  name: 'listStartRules',
  method: 'get',
  path: '/start-rules',
  tag: 'limits',
  summary: 'List rules on starts by pipeline and name.',
  access: { scope: 'limits:read', role: 'viewer', subject: 'list' },
  query: z.strictObject({ ...pageQuery, pipeline: slug.optional() }),
  answer: pageOf(startRule),
})

const onRule = {
  tag: 'limits',
  params: ruleParams,
  access: { scope: 'limits:write', role: 'operator', subject: 'pipeline' },
  revised: true,
} as const

const defineStartRule = operation({
  ...onRule,
  name: 'defineStartRule',
  method: 'put',
  path: '/pipelines/{pipeline}/start-rules/{rule}',
  summary: "Define a rule on the starts of a pipeline, or change it; from then on it is an operator's.",
  body: settings,
  answer: defined,
  errors: ['start_rule_invalid', 'pipeline_unknown', 'revision_conflict'],
})

const removeStartRule = operation({
  ...onRule,
  name: 'removeStartRule',
  method: 'delete',
  path: '/pipelines/{pipeline}/start-rules/{rule}',
  summary: 'Remove a rule on starts; what code brings comes back with its next registration.',
  answer: changed,
  errors: ['revision_conflict'],
})

export const startRuleOperations = { listStartRules, defineStartRule, removeStartRule } as const
