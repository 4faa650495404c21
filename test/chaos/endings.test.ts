// How a run of the chaos ends: each thing that it opened is tried, and what is still being opened ends as well.
import { expect, test } from 'vitest'
import { Endings } from './endings.ts'

test('what was opened last ends first, once, and one that fails leaves none of the others behind', async () => {
  const endings = new Endings()
  const ended: string[] = []
  for (const name of ['disk', 'server', 'workers'])
    endings.add(() => {
      ended.push(name)
      if (name !== 'disk') throw new Error(`the ${name} did not end`)
    })
  await expect(endings.close()).rejects.toThrow('the workers did not end')
  await expect(endings.close()).rejects.toThrow('the workers did not end')
  expect(ended).toEqual(['workers', 'server', 'disk'])
})

test('what is being opened as all is to end notices it, and ends with the rest', async () => {
  const endings = new Endings()
  const ended: string[] = []
  let goOn = () => {}
  const opening = endings.during(async () => {
    endings.add(() => ended.push('disk'))
    await new Promise<void>((resolve) => (goOn = resolve))
    endings.add(() => ended.push('server'))
    ended.push('nobody comes this far')
  })
  const closed = endings.close()
  goOn()
  await expect(opening).rejects.toThrow('It is ended while it is being opened.')
  await closed
  expect(ended).toEqual(['server', 'disk'])
})
