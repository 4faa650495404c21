// What is alike is written once: no block of lines stands in two places of src.
import { expect, test } from 'vitest'
import { type House, houseOf, readHouse, sourcePaths, textOf } from './tidy/house.ts'

const blockLines = 8

interface Line {
  readonly text: string
  readonly number: number
}

/** Lines that say something: imports, comments and lone punctuation are alike everywhere. */
function tellingLines(text: string): Line[] {
  return text
    .split('\n')
    .map((line, index) => ({ text: line.trim(), number: index + 1 }))
    .filter(
      ({ text: line }) =>
        /\w/.test(line) && !/^(import|export \{|\}? from|type \w+,|\w+,$|\/\/|\/?\*)/.test(line),
    )
}

function duplicatesIn(house: House): string[] {
  const seen = new Map<string, string>()
  const found: string[] = []
  for (const path of sourcePaths(house)) {
    const lines = tellingLines(textOf(house, path))
    for (let at = 0; at + blockLines <= lines.length; at++) {
      const block = lines.slice(at, at + blockLines).map(({ text }) => text)
      const place = `${path}:${lines[at]!.number}`
      const before = seen.get(block.join('\n'))
      if (before === undefined) seen.set(block.join('\n'), place)
      else found.push(`${place} stands at ${before} too`)
    }
  }
  return found
}

test('PP-C15 no block of eight lines stands in two places of src', () => {
  expect(duplicatesIn(readHouse(process.cwd()))).toEqual([])
})

test('PP-C15 a copied block is found', () => {
  const block = Array.from({ length: blockLines }, (_, index) => `const value${index} = ${index}`).join('\n')
  const house = houseOf({
    'src/core/one.ts': `// One.\n${block}\n`,
    'src/core/two.ts': `// Two.\n\n${block}\n`,
  })
  expect(duplicatesIn(house)).toEqual(['src/core/two.ts:3 stands at src/core/one.ts:2 too'])
})
