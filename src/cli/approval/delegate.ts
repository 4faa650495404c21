// millrace approval delegate: lets somebody else decide in a person's place.
import { Command } from 'commander'
import { delegateApproval } from '../../db/approvals.ts'
import type { CurrentSession } from '../session.ts'
import { type ActorChoices, actorOf, withActor } from './actor.ts'
import { approvalIdOf } from './decide.ts'

export function delegateCommand(current: CurrentSession): Command {
  return withActor(
    new Command('delegate')
      .description("let somebody else decide in one's place")
      .argument('<approval>', 'the id of the approval')
      .argument('<person>', 'who decides instead'),
  ).action(async (id: string, person: string, by: ActorChoices) => {
    const session = current()
    const approval = approvalIdOf(id)
    await session.withDatabase(({ caller }) => delegateApproval(caller, approval, person, actorOf(by)))
    session.terminal.answer({ approval, delegated_to: person })
    session.terminal.print(`${person} may decide on approval ${approval}.`)
  })
}
