// millrace pipeline split: shares the starts that name no version among several, by weight.
import { Command, InvalidArgumentError } from 'commander'
import { splitPipeline, type SplitShare } from '../../db/pipelines.ts'
import { text } from '../option-values.ts'
import { ifRevisionOption } from '../revision.ts'
import type { CurrentSession } from '../session.ts'

export function splitCommand(current: CurrentSession): Command {
  return new Command('split')
    .description('share the starts that name no version among several; activate ends it')
    .argument('<pipeline>', 'the name of the pipeline')
    .argument('<version=weight...>', 'each version with its weight, as in 1=90 2=10', shareFrom)
    .option(
      '--key <path>',
      'the value in the input that always gets the same version, as in user.id',
      text('--key'),
    )
    .addOption(ifRevisionOption())
    .action(async (slug: string, shares: readonly SplitShare[], options: SplitOptions) => {
      const session = current()
      const { key, ifRevision } = options
      await session.withDatabase(({ caller }) => splitPipeline(caller, slug, shares, key ?? null, ifRevision))
      session.terminal.answer({ pipeline: slug, shares, key: key ?? null })
      session.terminal.print(`Starts of ${slug} that name no version are split by ${key ?? 'run'}.`)
      session.terminal.print(`See how they go with: npx millrace pipeline show ${slug}`)
    })
}

interface SplitOptions {
  readonly key?: string
  readonly ifRevision?: number
}

function shareFrom(value: string, before: readonly SplitShare[] = []): SplitShare[] {
  const found = /^(\d{1,9})=(\d{1,7})$/.exec(value)
  if (found === null) throw new InvalidArgumentError('It takes version=weight, as in 2=10.')
  return [...before, { version: Number(found[1]), weight: Number(found[2]) }]
}
