// The operations on people: who may sign in, with which role, and by which link they begin.
import { z } from 'zod'
import { roles } from '../core/role.ts'
import { operation } from './operation.ts'
import { changed, name, pageOf, pageQuery, time, uuid } from './values.ts'

/** An address of mail, as it is compared: in lower case. */
export const email: z.ZodEmail = z.email('it is no address of mail').max(254).toLowerCase()

/** SHA-256 in base64url. */
const hash = z.string().regex(/^[A-Za-z0-9_-]{43}$/, 'it is no SHA-256 in base64url')

const person = z
  .object({
    id: uuid,
    email: z.string(),
    name: z.string(),
    role: z.enum(roles),
    payloads: z.boolean().describe('Whether they see what went into runs and came out.'),
    revision: z.int().describe('Rises with each change; send it as If-Match.'),
    created_at: time,
    disabled_at: time.nullable(),
    disabled_by: z.string().nullable(),
    has_account: z.boolean().describe('Whether they have a password, or have signed in by the provider.'),
    session_count: z.int(),
    seen_at: time.nullable(),
    link_purpose: z
      .enum(['invitation', 'reset', 'first_admin'])
      .nullable()
      .describe('Of the link by which they may set a password; null: there is none.'),
    link_expires_at: time.nullable(),
  })
  .meta({ id: 'Person' })

const session = z
  .object({
    id: uuid,
    created_at: time,
    seen_at: time,
    expires_at: time,
    address: z.string().nullable(),
    user_agent: z.string().nullable(),
  })
  .meta({ id: 'PersonSession' })
export const sessions = z.object({ items: z.array(session).max(100) })

const readPeople = { scope: 'people:read', role: 'admin', subject: 'installation' } as const
const writePeople = { scope: 'people:write', role: 'admin', subject: 'installation' } as const
const onPerson = { tag: 'people', params: z.object({ person: uuid }) } as const

const listPeople = operation({
  name: 'listPeople',
  method: 'get',
  path: '/people',
  tag: 'people',
  summary: 'List people by address.',
  access: readPeople,
  query: z.strictObject(pageQuery),
  answer: pageOf(person),
})

const showPerson = operation({
  name: 'showPerson',
  method: 'get',
  path: '/people/{person}',
  tag: 'people',
  summary: 'Show somebody by id or address.',
  access: readPeople,
  params: z.object({ person: z.string().min(1).max(254) }),
  answer: person,
  errors: ['person_unknown'],
})

const linkBody = {
  token_hash: hash
    .optional()
    .describe('The SHA-256, in base64url, of a token of your own making, which the server then never sees.'),
}
const linkAnswer = {
  link: z
    .string()
    .nullable()
    .describe('Shown this once. Null where you sent a token_hash: put your token behind /auth/link#.'),
  expires_at: time,
}

const invitePerson = operation({
  name: 'invitePerson',
  answersOnce: true,
  method: 'post',
  path: '/people',
  tag: 'people',
  summary: 'Let somebody sign in, and get the link by which they set a password.',
  access: writePeople,
  body: z.strictObject({
    email,
    name: name.optional(),
    role: z.enum(roles),
    payloads: z.boolean().default(false),
    ...linkBody,
  }),
  answer: z.object({ id: uuid, ...linkAnswer }).meta({ id: 'Invited' }),
  status: 201,
  errors: ['person_exists', 'people_off'],
})

const linkPerson = operation({
  ...onPerson,
  name: 'linkPerson',
  answersOnce: true,
  method: 'post',
  path: '/people/{person}/link',
  summary: 'Get another link for somebody, by which they set a password; the one before is void.',
  access: writePeople,
  body: z.strictObject(linkBody),
  answer: z.object(linkAnswer).meta({ id: 'PersonLink' }),
  errors: ['person_unknown', 'person_disabled', 'people_off'],
})

const changePerson = operation({
  ...onPerson,
  name: 'changePerson',
  method: 'patch',
  path: '/people/{person}',
  summary: 'Change what somebody is called, may do and may see.',
  access: writePeople,
  body: z.strictObject({
    name: name.optional(),
    role: z.enum(roles).optional(),
    payloads: z.boolean().optional(),
  }),
  answer: z.object({ revision: z.int() }),
  errors: ['person_unknown', 'last_admin', 'revision_conflict'],
  revised: true,
})

const disablePerson = operation({
  ...onPerson,
  name: 'disablePerson',
  method: 'post',
  path: '/people/{person}/disable',
  summary: 'Let somebody sign in no more; their sessions end.',
  access: writePeople,
  answer: changed,
  errors: ['person_unknown', 'last_admin', 'revision_conflict'],
  revised: true,
})

const enablePerson = operation({
  ...onPerson,
  name: 'enablePerson',
  method: 'post',
  path: '/people/{person}/enable',
  summary: 'Let somebody sign in again.',
  access: writePeople,
  answer: changed,
  errors: ['person_unknown', 'revision_conflict'],
  revised: true,
})

const listPersonSessions = operation({
  ...onPerson,
  name: 'listPersonSessions',
  method: 'get',
  path: '/people/{person}/sessions',
  summary: 'List the sessions of somebody.',
  access: readPeople,
  answer: sessions,
})

const endPersonSessions = operation({
  ...onPerson,
  name: 'endPersonSessions',
  method: 'post',
  path: '/people/{person}/end-sessions',
  summary: 'End all sessions of somebody.',
  access: writePeople,
  answer: z.object({ ended: z.int() }),
  errors: ['person_unknown'],
})

export const peopleOperations = {
  listPeople,
  showPerson,
  invitePerson,
  linkPerson,
  changePerson,
  disablePerson,
  enablePerson,
  listPersonSessions,
  endPersonSessions,
} as const
