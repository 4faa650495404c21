// millrace start-rule define: a rule on the starts of a pipeline, or a change of one, while runs are under way.
import { Command } from 'commander'
import { defineStartRule, type StartRuleSettings } from '../../db/start-rules.ts'
import { jsonValue } from '../json-value.ts'
import { ifRevisionOption } from '../revision.ts'
import type { CurrentSession } from '../session.ts'

export function defineCommand(current: CurrentSession): Command {
  return new Command('define')
    .description('define a rule on the starts of a pipeline, or change it')
    .argument('<pipeline>', 'the name of the pipeline')
    .argument('<name>', 'the name of the rule')
    .argument(
      '<settings>',
      'as JSON, with kind, key and what that kind takes, as list shows them; - reads it from stdin',
    )
    .addOption(ifRevisionOption())
    .action(
      async (pipeline: string, name: string, settings: string, { ifRevision }: { ifRevision?: number }) => {
        const session = current()
        const rule = (await jsonValue(session, 'The settings', settings)) as StartRuleSettings
        const revision = await session.withDatabase(({ caller }) =>
          defineStartRule(caller, pipeline, name, rule, ifRevision),
        )
        session.terminal.answer({ pipeline, name, revision })
        session.terminal.print(`Rule ${name} on starts of ${pipeline} is at revision ${revision}.`)
      },
    )
}
