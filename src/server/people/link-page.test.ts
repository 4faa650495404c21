// The script of the link page, run against a page of nothing but its elements.
import vm from 'node:vm'
import { expect, test } from 'vitest'
import { linkScript } from './link-page.ts'

function open(hash: string): { said: () => string; asked: string[] } {
  const asked: string[] = []
  const elements = new Map<string, { textContent: string; addEventListener: () => void }>()
  const byId = (id: string) => {
    const element = elements.get(id) ?? { textContent: '', addEventListener: () => {} }
    elements.set(id, element)
    return element
  }
  vm.runInNewContext(linkScript, {
    CSSStyleSheet: class {
      replaceSync() {}
    },
    document: { getElementById: byId },
    location: { hash, pathname: '/auth/link' },
    history: { replaceState: () => {} },
    addEventListener: () => {},
    fetch: (path: string) => {
      asked.push(path)
      return new Promise(() => {})
    },
  })
  return { said: () => byId('said').textContent, asked }
}

test('a page that is loaded again has no token, says where one is, and asks nothing', () => {
  const again = open('')
  expect(again.said()).toBe('Open the whole link again as you got it, or ask for another.')
  expect(again.asked).toEqual([])
  expect(open('#token').asked).toEqual(['link/show'])
})
