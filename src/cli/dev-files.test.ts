// The watch over a project's code: of what lies outside it, the files that its code imports alone.
import path from 'node:path'
import { expect, test } from 'vitest'
import { openFolder } from '../../test/commands.ts'
import { until } from '../../test/deadline.ts'
import { watchCode } from './dev-files.ts'

test('outside the folder a file that was added is told, and none beside it', async () => {
  const workspace = openFolder()
  const changed = new Set<string>()
  const watcher = watchCode(path.join(workspace.folder, 'app'), {
    onChange: (file) => void changed.add(file),
    onTrouble: (trouble) => expect.fail(trouble),
  })
  const imported = workspace.write('shared/imported.ts', '')
  const beside = workspace.write('shared/beside.ts', '')
  watcher.add(imported)
  let due = 0
  await until('its change is told', () => {
    // Again and again, since nobody says from when on it is watched; what comes together is told once it rests.
    if (performance.now() > due) {
      for (const name of ['beside', 'imported']) workspace.write(`shared/${name}.ts`, `${Math.random()}`)
      due = performance.now() + 300
    }
    return changed.has(imported)
  })
  expect(changed).not.toContain(beside)
  await watcher.close()
  workspace.close()
})
