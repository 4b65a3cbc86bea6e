// Values out of arguments: JSON as text, as a file, or from stdin; definitions as files.
import { readFile } from 'node:fs/promises'
import { text as readAll } from 'node:stream/consumers'
import type { Json } from '@stepfleet/contracts'
import { renderFinding } from './source/report.ts'
import { readSource, type Source } from './source/source.ts'

/** What a person typed is wrong: exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

export const readText = async (file: string): Promise<string> => {
  if (file === '-') return readAll(process.stdin)
  return readFile(file, 'utf8').catch((error: unknown) => {
    throw new UsageError(`cannot read ${file}: ${reasonOf(error)}`)
  })
}

/** `{"a": 1}`, `@input.json`, `@-` for stdin. */
export const readJson = async (argument: string, name: string): Promise<Json> => {
  const source = argument.startsWith('@') ? await readText(argument.slice(1)) : argument
  try {
    return JSON.parse(source)
  } catch (error) {
    throw new UsageError(`${name} is no JSON: ${reasonOf(error)}`)
  }
}

/** `a=1` pairs as a map. */
export const readLabels = (pairs: readonly string[]): Record<string, string> =>
  Object.fromEntries(
    pairs.map((pair) => {
      const cut = pair.indexOf('=')
      if (cut < 1) throw new UsageError(`a label is written name=value, not ${pair}`)
      return [pair.slice(0, cut), pair.slice(cut + 1)]
    }),
  )

export const looksLikeFile = (name: string): boolean => name === '-' || /[./\\]/.test(name)

/** A definition file, for a run that carries it along. Registration sends the text as it is. */
export const readDefinition = async (
  file: string,
): Promise<{ source: Source; definition: { [key: string]: Json } }> => {
  const source = readSource(file === '-' ? '<stdin>' : file, await readText(file))
  if (source.problems.length > 0) {
    const lines = source.problems.flatMap((finding) => renderFinding(finding, source, { width: 120, color: false }))
    throw new UsageError([`${file} cannot be read`, ...lines].join('\n'))
  }
  const { value } = source
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new UsageError(`${file} holds no definition`)
  return { source, definition: value }
}
