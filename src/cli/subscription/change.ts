// millrace subscription pause, resume, remove: what people do to one that there is.
import { Command } from 'commander'
import { Subscriptions } from '../../sdk/subscriptions.ts'
import { ifRevisionOption } from '../revision.ts'
import type { CurrentSession } from '../session.ts'

type Choices = { readonly ifRevision?: number }

export function pauseCommand(current: CurrentSession): Command {
  return changeCommand(
    current,
    'pause',
    'have a subscription start nothing; what is emitted meanwhile says so',
    {
      change: (book, name, choices) => book.pause(name, choices),
      words: (name, changed) => `Subscription ${name} is ${changed ? '' : 'already '}paused.`,
    },
  )
}

export function resumeCommand(current: CurrentSession): Command {
  return changeCommand(current, 'resume', 'have a paused subscription start runs again', {
    change: (book, name, choices) => book.resume(name, choices),
    words: (name, changed) => `Subscription ${name} ${changed ? 'goes on' : 'was not paused'}.`,
  })
}

export function removeCommand(current: CurrentSession): Command {
  return changeCommand(current, 'remove', 'remove a subscription; code that declares it brings it back', {
    change: async (book, name, choices) => {
      await book.remove(name, choices)
      return true
    },
    words: (name) => `Subscription ${name} is removed.`,
  })
}

function changeCommand(
  current: CurrentSession,
  verb: 'pause' | 'resume' | 'remove',
  description: string,
  {
    change,
    words,
  }: {
    readonly change: (book: Subscriptions, name: string, choices: Choices) => Promise<boolean>
    readonly words: (name: string, changed: boolean) => string
  },
): Command {
  return new Command(verb)
    .description(description)
    .argument('<name>', 'the name of the subscription')
    .addOption(ifRevisionOption())
    .action(async (name: string, choices: Choices) => {
      const session = current()
      const changed = await session.withDatabase(({ caller }) =>
        change(new Subscriptions(() => Promise.resolve(caller)), name, choices),
      )
      session.terminal.answer({ name, verb, changed })
      session.terminal.print(words(name, changed))
    })
}
