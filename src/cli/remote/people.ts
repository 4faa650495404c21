// What people decide, order and keep, over HTTP: approvals, workers, secrets without values, artifacts, tenants.
import type { HttpClient } from '../../client/http-client.ts'
import { MillraceError } from '../../core/errors.ts'
import type { ApprovalState } from '../../core/state.ts'
import type { ApprovalRow } from '../../db/approvals.ts'
import type { ArtifactRow } from '../../db/artifacts.ts'
import type { UnservedRow, WorkerRow } from '../../db/diagnosis.ts'
import type { SecretRow } from '../../db/secrets.ts'
import { firstOf, given, oneOrNone, type RemoteStatements, rowOf, valueOf } from './statements.ts'

const secretsMax = 10_000

export function peopleStatements(client: HttpClient): RemoteStatements {
  return { ...approvals(client), ...workers(client), ...kept(client) }
}

function approvals(client: HttpClient): RemoteStatements {
  return {
    millrace_list_approvals: async (
      states: readonly ApprovalState[] | null,
      run: string | null,
      id: string | null,
      limit: number,
    ) => {
      if (id !== null)
        return (await oneOrNone(client.showApproval({ params: { approval: id } }))).map(rowOf<ApprovalRow>)
      // The API takes one state, or all.
      const state = states?.length === 1 ? states[0]! : 'all'
      const found = await firstOf(client.listApprovals, { query: { state, ...given({ run }) } }, limit)
      return found.filter((one) => states === null || states.includes(one.state)).map(rowOf<ApprovalRow>)
    },
    millrace_decide_approval: async (
      approval: string,
      decision: 'approve' | 'reject',
      value: string | null,
      comment: string | null,
      ...by: readonly [string | null, readonly string[] | null]
    ) => {
      refuseOthers(by)
      const body = { decision, ...given({ value: valueOf(value).value, comment }) }
      return [await client.decideApproval({ params: { approval }, body })]
    },
    millrace_delegate_approval: async (
      approval: string,
      to: string,
      ...by: readonly [string | null, readonly string[] | null]
    ) => {
      refuseOthers(by)
      await client.delegateApproval({ params: { approval }, body: { to } })
      return []
    },
  }
}

/** Who asks a server is whom its key or session says. */
function refuseOthers(by: readonly unknown[]): void {
  if (by.every((one) => one === null || one === undefined)) return
  throw new MillraceError('command_local', 'Over HTTP one decides as who one is.', {
    hint: 'Leave out --as and --role, or name the database with --database.',
  })
}

function workers(client: HttpClient): RemoteStatements {
  return {
    millrace_list_workers: async (): Promise<WorkerRow[]> => (await client.listWorkers()).items,
    millrace_list_unserved: async () =>
      (await client.listWorkers()).unserved.map(({ ready_since, ...tasks }) =>
        rowOf<UnservedRow>({ ...tasks, ready_since: new Date(ready_since) }),
      ),
    millrace_pause_worker: async (worker: string) => [
      await client.pauseWorker({ params: { worker }, body: {} }),
    ],
    millrace_resume_worker: async (worker: string) => [
      await client.resumeWorker({ params: { worker }, body: {} }),
    ],
    millrace_drain_worker: async (worker: string) => [
      await client.drainWorker({ params: { worker }, body: {} }),
    ],
  }
}

function kept(client: HttpClient): RemoteStatements {
  return {
    millrace_list_secrets: async () =>
      (await firstOf(client.listSecrets, {}, secretsMax)).map(rowOf<SecretRow>),
    millrace_remove_secret: async (secret: string) => {
      const { changed } = await client.removeSecret({ params: { secret } })
      return [{ removed: changed }]
    },
    millrace_list_artifacts: async (run: string, name: string | null) => {
      const { items } = await client.listArtifacts({ params: { run } })
      return items
        .filter(({ artifact }) => name === null || artifact === name)
        .map(({ run: run_id, artifact, ...rest }) =>
          rowOf<Omit<ArtifactRow, 'id' | 'store' | 'location'>>({ run_id, name: artifact, ...rest }),
        )
    },
    millrace_erase_tenant: async (
      tenant: string,
      dry_run: boolean,
      erasure: string | null,
      batch: number,
      reason: string | null,
    ) => [
      await client.eraseTenant({
        params: { tenant },
        body: { dry_run, batch, ...given({ erasure, reason }) },
      }),
    ],
  }
}
