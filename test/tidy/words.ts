// Rules on words: those that GLOSSARY.md bans, promises left in comments, the first line of a file.
import { textOf } from './house.ts'
import type { Rule } from './rule.ts'

type Ban = { never: string; say: string; allowed: string[] }

const bans_heading = '## Banned by machine'

const spoken_files =
  /^((src|sql|docs|examples)\/.*\.(ts|sql|md|mjs)|(README|ARCHITECTURE|CONTRIBUTING|CHANGELOG)\.md)$/
const comparison_page = /^docs\/(.*\/)?compar[^/]*/

const banned_words: Rule = {
  claim: 'no text uses a word that GLOSSARY.md bans',
  reason: 'two words for one thing make a reader look for the difference.',
  offence: {
    'GLOSSARY.md': `${bans_heading}\n\n| never | say | allowed as |\n|---|---|---|\n| dedupe key | idempotency key | |\n`,
    'src/sdk/start.ts': 'export const dedupeKey = 1',
  },
  find: (house) => {
    const bans = readBans(textOf(house, 'GLOSSARY.md'))
    return [...house.keys()]
      .filter((path) => spoken_files.test(path) && !comparison_page.test(path))
      .flatMap((path) => bannedIn(path, textOf(house, path), bans))
  },
}

const readBans = (glossary: string): Ban[] => {
  const rows = (glossary.split(bans_heading)[1] ?? '').split('\n## ')[0]?.match(/^\|.*\|$/gm) ?? []
  const cells = rows.slice(2).map((row) =>
    row
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  )
  if (cells.length === 0) throw new Error(`GLOSSARY.md has no table under "${bans_heading}"`)
  return cells.map(([never = '', say = '', allowed = '']) => ({
    never,
    say,
    allowed: allowed
      .split(',')
      .map((phrase) => phrase.trim())
      .filter(Boolean),
  }))
}

const bannedIn = (path: string, text: string, bans: Ban[]): string[] =>
  text.split('\n').flatMap((line, index) => {
    const spoken = spokenWords(line)
    return bans
      .filter((ban) => says(spoken, ban))
      .map((ban) => `${path}:${index + 1} says "${ban.never}": say "${ban.say}"`)
  })

// `jobId`, `job_id` and `job-id` all say "job id".
const spokenWords = (line: string): string =>
  line
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .replace(/[_\-/]+/g, ' ')
    .toLowerCase()

const says = (spoken: string, ban: Ban): boolean => {
  const rest = ban.allowed.reduce((line, phrase) => line.replaceAll(phrase, ' '), spoken)
  return new RegExp(`\\b${ban.never.toLowerCase()}(s|es)?\\b`).test(rest)
}

const own_code = /^(src|sql|test|scripts|bench|examples)\/.*\.(ts|mjs|sql)$/

const first_line: Rule = {
  claim: 'a file begins with a comment that says what it owns',
  reason: 'whoever opens it knows in one sentence whether it is the right one.',
  offence: { 'src/core/duration.ts': 'export const day = 86_400_000' },
  find: (house) =>
    [...house.keys()]
      .filter((path) => own_code.test(path))
      .filter((path) => !/^(#![^\n]*\n)?\s*(\/\/|\/\*|--)\s*\S/.test(textOf(house, path)))
      .map((path) => `${path} begins without a comment`),
}

const no_promises: Rule = {
  claim: 'no comment promises work for later',
  reason:
    'a promise in the code is seen by nobody who could keep it; write it where work is planned, or do it.',
  offence: { 'src/core/json.ts': `// ${'TO'}${'DO'}: numbers` },
  find: (house) =>
    [...house.keys()]
      .filter((path) => own_code.test(path))
      .flatMap((path) => promisesIn(path, textOf(house, path))),
}

const promisesIn = (path: string, text: string): string[] =>
  text
    .split('\n')
    .flatMap((line, index) =>
      /(\/\/|--|\*).*\b(TO[D]O|FIX[M]E|X[X]X|HA[C]K)\b/.test(line)
        ? [`${path}:${index + 1} ${line.trim()}`]
        : [],
    )

export const word_rules: Rule[] = [banned_words, first_line, no_promises]
