// Owns the question whether a handler reads the outputs of other steps: where it surely doesn't, none are fetched.

/**
 * False only where the function's source proves that it cannot reach `steps`: it takes no parameter, or picks other
 * names from the first one. Everything that this can't read for sure counts as reading.
 */
export function readsSteps(handler: (...args: never) => unknown): boolean {
  const source = Function.prototype.toString.call(handler)
  if (source.includes('[native code]') || /\b(?:arguments|eval)\b/.test(source)) return true
  const parameters = beforeFirstParameter.exec(source)
  if (parameters === null) return true
  const rest = source.slice(parameters[0].length)
  if (rest.startsWith(')')) return false
  const picked = plainPattern.exec(rest)
  return picked === null || /\bsteps\b/.test(picked[0])
}

/** `async ({`, `function name(`, `async *name(`: up to the parenthesis, and no arrow function without one. */
const beforeFirstParameter = /^(?:async\b\s*)?(?:function\b\s*)?\*?\s*[\w$]*\s*\(\s*/

/** A destructuring of names, renames and nested names only: no default, rest, computed name, text or comment. */
const plainPattern = /^\{[\w$\s,:{}]*\}\s*[,)]/
