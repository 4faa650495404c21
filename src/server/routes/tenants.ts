// The routes that erase a tenant, and encrypt anew what is kept: a batch a request.
import { operations } from '../../api/catalogue.ts'
import { eraseTenant } from '../../db/erasures.ts'
import { reencryptBatch } from '../../sdk/key-rotation.ts'
import { type Route, route } from '../route.ts'

export const tenantRoutes: readonly Route[] = [
  route(operations.eraseTenant, ({ params, body, caller }) =>
    eraseTenant(caller, params.tenant, {
      dry: body.dry_run,
      erasure: body.erasure ?? null,
      batch: body.batch,
      reason: body.reason ?? null,
    }),
  ),

  route(operations.reencrypt, ({ body, caller, room }) =>
    reencryptBatch(caller, room.cipher, {
      runsPerBatch: body.runs_per_batch,
      after: body.after ?? null,
    }),
  ),
]
