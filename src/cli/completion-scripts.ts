// Owns the scripts by which shells complete command lines: made once, so that no process starts at each tab.
import type { CompletionPlace } from './completion-tree.ts'

export const shells = ['bash', 'zsh', 'fish'] as const
export type Shell = (typeof shells)[number]

export function completionScript(shell: Shell, places: readonly CompletionPlace[]): string {
  return shell === 'fish' ? fish(places) : shell === 'zsh' ? zsh(places) : bash(places)
}

/** Whether a word leads further down; which values stand behind an option; what else may stand at a place. */
interface Cases {
  readonly steps: string
  readonly values: string
  readonly words: string
}

/** @param offer how a shell is told the words that fit, @param files how it is told that a value is free */
function casesOf(
  places: readonly CompletionPlace[],
  offer: (words: readonly string[]) => string,
  files: string,
): Cases {
  const key = ({ path }: CompletionPlace): string => path.map((name) => ` ${name}`).join('')
  const steps = places.filter(({ path }) => path.length > 0).map((place) => quote(key(place)))
  const behind = places.flatMap((place) =>
    place.options
      .filter(({ takesValue }) => takesValue)
      .map(({ name, choices }) => ({ at: quote(`${key(place)} ${name}`), choices })),
  )
  const chosen = behind.filter(({ choices }) => choices.length > 0)
  const free = behind.filter(({ choices }) => choices.length === 0)
  return {
    steps: `      ${steps.join('|')}) at="$at $word" ;;`,
    values: [
      ...chosen.map(({ at, choices }) => `    ${at}) ${offer(choices)}; return ;;`),
      `    ${free.map(({ at }) => at).join('|')}) ${files}; return ;;`,
    ].join('\n'),
    words: places
      .map((place) => {
        const words = [...place.commands.map(({ name }) => name), ...place.options.map(({ name }) => name)]
        return `    ${quote(key(place))}) ${offer(words)} ;;`
      })
      .join('\n'),
  }
}

/** What bash and zsh do alike: follow the words, look at the one before, then at the place. */
function looking({ steps, values, words }: Cases): string {
  return `    case "$at $word" in
${steps}
    esac
  done
  case "$at $former" in
${values}
  esac
  case "$at" in
${words}
  esac
`
}

function bash(places: readonly CompletionPlace[]): string {
  const offer = (words: readonly string[]) =>
    `COMPREPLY=($(compgen -W ${quote(words.join(' '))} -- "$current"))`
  const cases = casesOf(places, offer, 'COMPREPLY=($(compgen -f -- "$current"))')
  return `# Completes millrace in bash: source <(millrace completion bash)
_millrace() {
  local at='' word current="\${COMP_WORDS[COMP_CWORD]}" former="\${COMP_WORDS[COMP_CWORD-1]}"
  COMPREPLY=()
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
${looking(cases)}}
complete -F _millrace millrace
`
}

function zsh(places: readonly CompletionPlace[]): string {
  const offer = (words: readonly string[]) => `compadd -- ${words.map(quote).join(' ')}`
  const cases = casesOf(places, offer, '_files')
  return `#compdef millrace
# Completes millrace in zsh, after compinit: source <(millrace completion zsh)
_millrace() {
  local at='' word former="\${words[CURRENT-1]}"
  for word in "\${(@)words[2,CURRENT-1]}"; do
${looking(cases)}}
compdef _millrace millrace
`
}

function fish(places: readonly CompletionPlace[]): string {
  const lines = places.flatMap(({ path, commands, options }) => {
    const at = quote(`__millrace_at ${path.join(' ')}`.trim())
    return [
      ...commands.map(
        ({ name, description }) =>
          `complete -c millrace -f -n ${at} -a ${quote(name)} -d ${quote(description)}`,
      ),
      ...options.map(({ name, description, takesValue, choices }) => {
        const value = choices.length > 0 ? ` -x -a ${quote(choices.join(' '))}` : takesValue ? ' -r' : ''
        return `complete -c millrace -n ${at} -l ${quote(name.replace(/^--/, ''))}${value} -d ${quote(description)}`
      }),
    ]
  })
  const paths = places.filter(({ path }) => path.length > 0).map(({ path }) => quote(path.join(' ')))
  return `# Completes millrace in fish: millrace completion fish | source
function __millrace_at
  set -l at
  for word in (commandline -opc)[2..-1]
    if contains -- (string join -- ' ' $at $word) ${paths.join(' ')}
      set -a at $word
    end
  end
  test "$at" = "$argv"
end
${lines.join('\n')}
`
}

function quote(text: string): string {
  return `'${text.replaceAll('\\', '').replaceAll("'", '’')}'`
}
