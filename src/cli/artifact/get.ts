// millrace artifact get: the bytes of an artifact, to stdout or into a file, checked by their hash.
import { createWriteStream } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import path from 'node:path'
import { pipeline as pipe } from 'node:stream/promises'
import { Command } from 'commander'
import { MillraceError } from '../../core/errors.ts'
import { grouped } from '../../core/wording.ts'
import { type Artifact, openArtifact } from '../../sdk/artifacts.ts'
import { text } from '../option-values.ts'
import { remoteArtifact } from '../remote/artifact.ts'
import { runIdOf } from '../run-id.ts'
import type { CurrentSession, Session } from '../session.ts'

export function getCommand(current: CurrentSession): Command {
  return new Command('get')
    .description('print the bytes of an artifact: millrace artifact get ID NAME > file')
    .argument('<run>', 'the id of the run')
    .argument('<name>', 'the name of the artifact')
    .option(
      '--output <file>',
      'write them into this file, which is there only if they are right',
      text('--output'),
    )
    .action(async (run: string, name: string, { output }: { output?: string }) => {
      const session = current()
      if (session.terminal.json && output === undefined) {
        throw new MillraceError('command_invalid', 'The bytes of an artifact are no JSON.', {
          hint: 'Give --output with --json, or leave --json out.',
        })
      }
      const id = runIdOf(run)
      const { remote } = session
      // A server has a store of its own.
      const store = remote === undefined ? (await session.findConfig())?.config.artifacts : undefined
      await session.withDatabase(async ({ caller }) => {
        const artifact =
          remote === undefined
            ? await openArtifact({ caller, store }, id, name)
            : await remoteArtifact(remote, caller, id, name)
        if (output === undefined) for await (const chunk of artifact) await session.terminal.writeBytes(chunk)
        else await writeFile(session, artifact, path.resolve(session.surroundings.folder, output))
      })
    })
}

async function writeFile(session: Session, artifact: Artifact, file: string): Promise<void> {
  const half = `${file}.part`
  try {
    await pipe(artifact.stream(), createWriteStream(half))
    await rename(half, file)
  } catch (error) {
    await rm(half, { force: true })
    throw error
  }
  const { run, artifact: name, type, size, sha256 } = artifact
  session.terminal.answer({ run, artifact: name, type, size, sha256, file })
  session.terminal.print(`${grouped(size)} bytes of ${type} in ${file}`)
}
