// millrace init: writes a first pipeline into a project, and never over anything.
import fs from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { Command } from 'commander'
import { configNames } from './config-file.ts'
import { configText, helloText } from './init-texts.ts'
import { extendPackage, type InitNote } from './init-package.ts'
import type { CurrentSession } from './session.ts'

export function initCommand(current: CurrentSession): Command {
  return new Command('init')
    .description('write millrace.config.ts and a first pipeline into this folder; nothing is overwritten')
    .action(() => {
      const { terminal, surroundings } = current()
      const notes = initProject(surroundings.folder)
      const next = nextCommands(surroundings.folder)
      terminal.answer({ files: notes, next })
      for (const { file, did, what } of notes) terminal.print(`${did.padEnd(6)} ${file.padEnd(22)} ${what}`)
      terminal.print()
      terminal.print('Next:')
      for (const command of next) terminal.print(`  ${command}`)
    })
}

function initProject(folder: string): InitNote[] {
  return [
    ...extendPackage(folder),
    writeConfig(folder),
    writeNew(folder, 'pipelines/hello.ts', helloText, 'a pipeline of three steps'),
    ignoreData(folder),
  ]
}

function writeConfig(folder: string): InitNote {
  const other = configNames.find((name) => fs.existsSync(path.join(folder, name)))
  if (other !== undefined) return { file: other, did: 'kept', what: 'it was there already' }
  return writeNew(folder, 'millrace.config.ts', configText, 'what every command reads')
}

function writeNew(folder: string, name: string, text: string, what: string): InitNote {
  const file = path.join(folder, name)
  fs.mkdirSync(path.dirname(file), { recursive: true })
  try {
    fs.writeFileSync(file, text, { flag: 'wx' })
    return { file: name, did: 'wrote', what }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    return { file: name, did: 'kept', what: 'it was there already' }
  }
}

function ignoreData(folder: string): InitNote {
  const file = path.join(folder, '.gitignore')
  const before = fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : ''
  const line = '.millrace/'
  if (before.split(/\r?\n/).some((one) => /^\/?\.millrace\/?$/.test(one.trim()))) {
    return { file: '.gitignore', did: 'kept', what: 'it leaves .millrace out already' }
  }
  const gap = before === '' || before.endsWith('\n') ? '' : '\n'
  fs.writeFileSync(file, `${before}${gap}${line}\n`)
  return { file: '.gitignore', did: 'added', what: 'the data of the embedded database' }
}

function nextCommands(folder: string): string[] {
  const resolve = createRequire(path.join(folder, 'package.json')).resolve
  const isInstalled = ['millrace/package.json', 'zod'].every((name) => {
    try {
      return resolve(name) !== ''
    } catch {
      return false
    }
  })
  return [...(isInstalled ? [] : ['npm install']), 'npx millrace dev']
}
