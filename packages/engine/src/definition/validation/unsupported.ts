// Parts of the format that are not built yet: refused with their place, never accepted and ignored.
import { type Json, NOT_SUPPORTED_YET } from '@stepfleet/contracts'
import { isMap } from '../../expressions/values.ts'
import type { Findings, Path } from './findings.ts'
import { removeAt, valueAt } from './raw.ts'
import { rawSteps } from './spots.ts'

/** The places below `from` that a dotted pattern (`*` is any name or index) finds. */
const placesOf = (root: Json, from: Path, pattern: readonly string[]): Path[] => {
  let places: Path[] = [from]
  for (const segment of pattern) {
    places = places.flatMap((place) => {
      const value = valueAt(root, place)
      if (value === undefined || value === null || typeof value !== 'object') return []
      if (segment !== '*') return Object.hasOwn(value, segment) ? [[...place, segment]] : []
      const keys: (string | number)[] = Array.isArray(value) ? value.map((_, i) => i) : Object.keys(value)
      return keys.map((key) => [...place, key])
    })
  }
  return places
}

/** Places of tool names in a step; some tools of the format are not built yet. */
const TOOL_PLACES = ['tool', 'compensate.tool', 'fallback.tool', 'agent.tools.*.tool', 'fallback.agent.tools.*.tool']
const UNBUILT_TOOL = /^(shell|mcp([./:].*)?)$/

const refuseTools = (root: Json, step: Path, findings: Findings): void => {
  for (const place of TOOL_PLACES) {
    for (const path of placesOf(root, step, place.split('.'))) {
      const value = valueAt(root, path)
      // it keeps its name, or its step would seem to have no kind
      if (typeof value !== 'string' || !UNBUILT_TOOL.test(value)) continue
      findings.error(path, 'not_supported_yet', 'this tool is not built yet; `http`, `callback` and module tools are')
    }
  }
}

const refuseFields = (root: Json, from: Path, patterns: readonly string[], findings: Findings): void => {
  for (const pattern of patterns) {
    for (const path of placesOf(root, from, pattern.split('.'))) {
      findings.error(path, 'not_supported_yet', `\`${path.at(-1)}\` belongs to the format but is not built yet`)
      removeAt(root, path)
    }
  }
}

/** Reports what is not built yet and cuts it out, so that it is reported once. */
export const refuseUnsupported = (root: Json, findings: Findings): void => {
  if (!isMap(root)) return
  refuseFields(root, [], NOT_SUPPORTED_YET.definition, findings)
  for (const { path } of rawSteps(root)) {
    refuseTools(root, path, findings)
    refuseFields(root, path, NOT_SUPPORTED_YET.step, findings)
  }
}
