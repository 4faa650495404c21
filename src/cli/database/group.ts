// Owns the commands of millrace database, in the order of its help.
import type { Command } from 'commander'
import { group } from '../group.ts'
import type { CurrentSession } from '../session.ts'
import { databaseAddressCommand } from './address.ts'
import { enableDatabaseCommand } from './enable.ts'

export function databaseGroup(current: CurrentSession): Command {
  return group('database', 'the database, and copies of it', [
    databaseAddressCommand(current),
    enableDatabaseCommand(current),
  ])
}
