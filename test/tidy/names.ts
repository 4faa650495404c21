// Rules on the names of files and folders.
import { basename, dirname } from 'node:path'
import { isTest } from './house.ts'
import type { Rule } from './rule.ts'

const our_folders = /^(src|sql|test|scripts|bench|examples|console)\//

const drawer = /^(utils?|helpers?|common|lib|types|misc)$|-(utils?|helpers?|common|misc)$/

const no_drawers: Rule = {
  claim: 'no file or folder is a drawer (utils, helpers, common, lib, types, misc)',
  reason: 'a drawer takes in everything and says nothing; name the noun.',
  offence: { 'src/core/string-utils.ts': '' },
  find: (house) =>
    [...house.keys()]
      .filter((path) => our_folders.test(path))
      .filter((path) => path.split('/').some((part) => drawer.test(part.replace(/\..*$/, ''))))
      .map((path) => `${path} is a drawer: name the noun that it holds`),
}

const name_style: Rule = {
  claim: 'TypeScript files are called in kebab-case, SQL files in snake_case',
  reason: 'a name can be typed from memory when it has one spelling.',
  offence: { 'src/core/keyPath.ts': '' },
  find: (house) =>
    [...house.keys()]
      .filter((path) => our_folders.test(path))
      .filter((path) => /\.(ts|mjs)$/.test(path) && !stem_style.test(stemOf(path)))
      .map((path) => `${path} is not in kebab-case (beside an SQL file: in its snake_case)`),
}

const stem_style = /^([a-z0-9]+(-[a-z0-9]+)*|[a-z0-9]+(_[a-z0-9]+)*)(\.config)?$/

const stemOf = (path: string): string => basename(path).replace(/(\.test)?(-d)?\.(ts|mjs)$/, '')

const tests_beside: Rule = {
  claim: 'a test in src, sql or scripts stands beside the file that it tests, under the same stem',
  reason: 'whoever changes a file sees its test next to it; what crosses rooms belongs in test/.',
  offence: { 'src/core/graph-cycles.test.ts': '' },
  find: (house) =>
    [...house.keys()]
      .filter((path) => isTest(path) && /^(src|sql|scripts)\//.test(path))
      .filter(
        (path) =>
          !['ts', 'sql', 'mjs'].some((ending) => house.has(`${dirname(path)}/${stemOf(path)}.${ending}`)),
      )
      .map((path) => `${path} tests no file of its folder: rename it, or move it to test/`),
}

export const name_rules: Rule[] = [no_drawers, name_style, tests_beside]
