// Where the values of secrets come from, when it is not our own table: the environment, and AWS Secrets Manager through its own SDK.
import type * as SecretsManager from '@aws-sdk/client-secrets-manager'
import { MillraceError } from '../core/errors.ts'

/** A value as its source gave it. */
export interface SourcedSecret {
  readonly value: string
  /** The source's own name for this version of it. */
  readonly version: string
  /** Since when it is so; null where the source can't say. */
  readonly changedAt: Date | null
}

/** @throws MillraceError secret_unavailable */
export function environmentSecret(
  name: string,
  variable: string,
  environment: Readonly<Record<string, string | undefined>>,
): string {
  const value = environment[variable]
  if (value !== undefined && value !== '') return value
  throw unavailable(name, `the environment variable ${variable} of this worker is not set`)
}

/** One for a worker, made when the first secret lies in AWS. */
export class AwsSecrets {
  #client: Promise<{ sdk: typeof SecretsManager; client: SecretsManager.SecretsManagerClient }> | undefined

  /**
   * @param reference the name or ARN; with `#key` at its end, the text under that key of a JSON object
   * @throws MillraceError secret_unavailable
   */
  async read(name: string, reference: string): Promise<SourcedSecret> {
    const hash = reference.lastIndexOf('#')
    const [id, key] =
      hash < 0 ? [reference, undefined] : [reference.slice(0, hash), reference.slice(hash + 1)]
    const { sdk, client } = await this.#open(name)
    let answer: SecretsManager.GetSecretValueCommandOutput
    try {
      answer = await client.send(new sdk.GetSecretValueCommand({ SecretId: id }))
    } catch (error) {
      const { name: code, message } = error as Error
      throw unavailable(name, `AWS Secrets Manager does not give '${id}': ${code}: ${message}`)
    }
    const { SecretString: text, VersionId: version, CreatedDate: changedAt } = answer
    if (text === undefined) throw unavailable(name, `'${id}' in AWS Secrets Manager holds bytes and no text`)
    const value = key === undefined ? text : memberOf(text, key)
    if (value === undefined)
      throw unavailable(name, `'${id}' in AWS Secrets Manager is no JSON object with a text at '${key}'`)
    return { value, version: version ?? 'unknown', changedAt: changedAt ?? null }
  }

  async close(): Promise<void> {
    const opened = await this.#client?.catch(() => undefined)
    opened?.client.destroy()
    this.#client = undefined
  }

  #open(name: string) {
    this.#client ??= import('@aws-sdk/client-secrets-manager').then(
      (sdk) => ({ sdk, client: new sdk.SecretsManagerClient({}) }),
      (error: unknown) => {
        this.#client = undefined
        throw unavailable(
          name,
          `the package @aws-sdk/client-secrets-manager can't be loaded: ${(error as Error).message}`,
          'Install it beside millrace: npm install @aws-sdk/client-secrets-manager',
        )
      },
    )
    return this.#client
  }
}

function memberOf(text: string, key: string): string | undefined {
  try {
    const value: unknown = JSON.parse(text)
    const member: unknown =
      typeof value === 'object' && value !== null && Object.hasOwn(value, key)
        ? Reflect.get(value, key)
        : undefined
    return typeof member === 'string' ? member : undefined
  } catch {
    return undefined
  }
}

function unavailable(name: string, reason: string, hint?: string): MillraceError {
  return new MillraceError('secret_unavailable', `Secret '${name}' can't be read: ${reason}.`, {
    fields: { name },
    hint,
  })
}
