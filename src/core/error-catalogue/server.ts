// Errors of the HTTP API: its transport, people, keys, agents and the audit trail.
import type { CatalogueEntry } from './entry.ts'

export const serverErrors = {
  // the API
  address_too_long: {
    cause: 'The address of a request has more than 2,048 characters.',
    remedy: 'Shorten its filters, or send what is long in the body.',
  },
  answer_not_kept: {
    cause:
      'A request was carried out under this idempotency key before, and its answer is not kept: it holds something that is shown once, or is too large.',
    remedy:
      'Look at what it made; where you need what was shown, make another one under another idempotency key.',
  },
  api_key_over: {
    cause:
      'An API key can not be rotated, because it is revoked, expired, replaced, or of somebody who is disabled.',
    remedy: 'Rotate the key that replaced it, or create a new one.',
    sqlstate: 'MR151',
    exitCode: 4,
  },
  api_key_unknown: {
    cause: 'There is no API key with this id.',
    remedy: 'List the keys with: npx millrace key list',
    sqlstate: 'MR150',
    exitCode: 4,
  },
  media_unsupported: {
    cause: 'A request has a body of a media type that its operation does not take.',
    remedy: 'Send JSON, and say so: content-type: application/json.',
  },
  method_not_allowed: {
    cause: 'There is something at the address of a request, but not for its method.',
    remedy: 'Use one of the methods that the header allow lists.',
  },
  not_allowed: {
    cause: 'Whoever asks is known, and may not do what was asked.',
    remedy: 'Ask an admin for the role, or for a key with the scope, that the message names.',
    exitCode: 4,
  },
  not_found: {
    cause: 'There is nothing at the address of a request, or nothing that whoever asks may see.',
    remedy: 'Check the address and the id; the list of the kind shows what you may see.',
    exitCode: 4,
  },
  not_signed_in: {
    cause: 'A request carries no credential, or one that is wrong, expired or revoked.',
    remedy: 'Sign in, or send a key as: Authorization: Bearer KEY.',
    exitCode: 4,
  },
  origin_refused: {
    cause:
      'A browser sent a request with the credentials of somebody, and it does not come from a page of this server.',
    remedy: 'Send it from the page of the server, or with a key instead of a session.',
    exitCode: 4,
  },
  output_too_large: {
    cause: 'The output of a run is larger than one answer of the server may be.',
    remedy:
      'Read it page by page, from /runs/{run}/outputs, or with client.run(id).result() beside the database.',
  },
  password_refused: {
    cause: 'A password is too short or too long, or is known from a leak.',
    remedy: 'Choose another one, of 12 to 256 characters.',
  },
  people_off: {
    cause: 'The server was not told how people sign in.',
    remedy: 'Give it a public address and MILLRACE_SERVER_SECRET, as docs/people.md says.',
  },
  request_invalid: {
    cause: 'A request does not have the shape that its operation takes.',
    remedy: 'Correct what the message names; /openapi.json describes each operation.',
    exitCode: 2,
  },
  request_too_large: {
    cause: 'The body of a request is larger than its operation takes.',
    remedy: 'Send less at once, or store what is large as an artifact.',
  },
  server_exposed: {
    cause:
      'A server was told to listen where others reach it, without TLS and without a declared proxy, or in dev.',
    remedy:
      'Listen on 127.0.0.1, give server.tls, or name the proxy that ends TLS in server.trustedProxies; dev serves this machine alone.',
    exitCode: 2,
  },
  request_under_way: {
    cause: 'A request with this idempotency key is being carried out at this moment.',
    remedy: 'Send it again after the seconds that retry-after names: its answer is there then.',
  },
  server_failed: {
    cause: 'The server failed at a request.',
    remedy: 'Look in its log for the correlation id of the answer.',
  },
  server_secret_missing: {
    cause: 'The server has no secret to sign sessions with, or a short one.',
    remedy: 'Give MILLRACE_SERVER_SECRET at least 32 random characters: openssl rand -base64 32',
    exitCode: 2,
  },
  server_unavailable: {
    cause: 'The server cannot reach its database, or has no connection or space left.',
    remedy: 'Try again after the seconds that retry-after names.',
  },
  sign_in_failed: {
    cause: 'An address and a password do not belong together, or whoever they belong to may not sign in.',
    remedy: 'Try again, or ask an admin for a link to set another password.',
    exitCode: 4,
  },
  sign_in_locked: {
    cause: 'Too many tries to sign in failed for this account or from this sender.',
    remedy: 'Try again after the seconds that retry-after names.',
    exitCode: 4,
  },
  service_account_taken: {
    cause: 'There is a service account of this name already.',
    remedy: 'Choose another name, or create a key for the one that there is.',
    sqlstate: 'MR153',
    exitCode: 4,
  },
  service_account_unknown: {
    cause: 'There is no service account of this name, or it is disabled and may have no keys.',
    remedy: 'List the service accounts with: npx millrace service-account list',
    sqlstate: 'MR152',
    exitCode: 4,
  },
  too_many_requests: {
    cause: 'More requests came from an address, or with a key, than its limit lets through.',
    remedy: 'Try again after the seconds that retry-after names, or ask an admin for another limit.',
    exitCode: 4,
  },
  // agents
  agent_request_open: {
    cause: 'An agent asked for what a person has to approve, and nobody has decided yet.',
    remedy: 'Have it approved: npx millrace agent-request approve ID.',
  },
  agent_request_unknown: {
    cause: 'No agent has asked under this id, or the request was old and is gone.',
    remedy: 'List them with: npx millrace agent-request list',
    sqlstate: 'MR181',
    exitCode: 4,
  },
  agent_request_decided: {
    cause: 'What an agent asked for was decided already, or has expired.',
    remedy: 'Have the agent ask again, if it is still wanted.',
    sqlstate: 'MR182',
    exitCode: 4,
    permanent: true,
  },
  agent_gone: {
    cause:
      'What an agent asked for was to be approved, and the key by which it asked has expired or was revoked since, or whoever it belongs to was disabled.',
    remedy: 'Do it yourself, if it is wanted all the same; the request is closed.',
    sqlstate: 'MR200',
    exitCode: 4,
    permanent: true,
  },
  agent_requests_full: {
    cause: 'An agent has as many requests open as it may have.',
    remedy: 'Decide on them, or wait until they expire.',
    sqlstate: 'MR180',
    exitCode: 4,
  },
  // audit trail
  audit_trail_fixed: {
    cause: 'A statement would have changed or removed what stands in the audit trail.',
    remedy:
      'Leave it: it is only added to. What was exported may go, with npx millrace audit-trail prune FILE.',
    sqlstate: 'MR170',
    exitCode: 5,
  },
  audit_export_unknown: {
    cause:
      'The end of an export of the audit trail does not stand in the trail: it is of another database, or one of the two was changed.',
    remedy: 'Export it anew, keep the file, and find out why they differ: npx millrace audit-trail verify',
    sqlstate: 'MR171',
    exitCode: 5,
  },
  tenant_not_trusted: {
    cause: 'A login said for which tenant it acts, and is not trusted to.',
    remedy:
      'Where it runs no SQL of its users: grant millrace_gateway to it. Else assign its role to the tenant: docs/tenants.md.',
    sqlstate: 'MR172',
    exitCode: 5,
  },
  audit_trail_broken: {
    cause: 'The audit trail, or an export of it, does not add up: an entry was changed or is missing.',
    remedy:
      'Compare it with the last export that adds up: the message names the position. Then ask who may act as the owner of the schema.',
    exitCode: 5,
  },
} as const satisfies Record<string, CatalogueEntry>
