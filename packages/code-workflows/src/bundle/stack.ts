// Stacks of a bundle, told in lines of the user's own files.
import { SourceMap } from 'node:module'

/** What a bundle is called in stacks; bundle.ts says so at its end. */
export const BUNDLE_NAME = 'stepfleet-workflow.mjs'

const FRAME = /([^\s(]*)\s*\(?stepfleet-workflow\.mjs:(\d+):(\d+)\)?$/
/** How the source map of a bundle begins, at its end. */
export const MAP = 'sourceMappingURL=data:application/json;base64,'
/** What comes of this package is called so in the map. */
export const RUNTIME_FILES = 'stepfleet:'
/** Nor what comes from a checkout of this package beside the user's files. */
const isOwn = (source: string): boolean =>
  !source.startsWith(RUNTIME_FILES) &&
  !source.includes('node_modules/') &&
  !/\/(stepfleet|code-workflows)\/(src|dist)\//.test(source)
const FRAMES = 10

const mapOf = (bundle: string): SourceMap | null => {
  const at = bundle.lastIndexOf(MAP)
  if (at < 0) return null
  const [encoded = ''] = bundle.slice(at + MAP.length).split('\n')
  return new SourceMap(JSON.parse(Buffer.from(encoded, 'base64').toString()))
}

/** Places in the files of the user, innermost first: `orders.ts:12:9 (charge)`. */
export const ownFrames = (bundle: string, stack: string): string[] => {
  const map = mapOf(bundle)
  if (!map) return []
  return stack
    .split('\n')
    .flatMap((line) => {
      const frame = FRAME.exec(line.trim())
      if (!frame) return []
      const [, name = '', row = '1', column = '1'] = frame
      const entry = map.findEntry(Number(row) - 1, Number(column) - 1)
      if (!('originalSource' in entry) || !isOwn(entry.originalSource)) return []
      const called = name === '' || name === 'at' ? '' : ` (${name})`
      return [`${entry.originalSource}:${entry.originalLine + 1}:${entry.originalColumn + 1}${called}`]
    })
    .slice(0, FRAMES)
}
