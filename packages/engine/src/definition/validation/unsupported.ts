// Parts of the format that are not built yet: refused with their place, never accepted and ignored.
import { type Json, NOT_SUPPORTED_YET } from '@stepfleet/contracts'
import { isMap } from '../../expressions/values.ts'
import type { Findings, Path } from './findings.ts'
import { removeAt, valueAt } from './raw.ts'

/** The places that a dotted pattern (`*` is any name or index) finds in the definition. */
const placesOf = (root: Json, pattern: readonly string[]): Path[] => {
  let places: Path[] = [[]]
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

const UNBUILT_TOOL = /^(callback|shell|mcp([./:].*)?)$/

interface SpecialCase {
  place: string
  unbuilt: (value: Json) => boolean
  message: string
}

/** Values, not fields, that are not built yet. */
const SPECIAL: readonly SpecialCase[] = [
  {
    place: 'steps.*.each.join',
    unbuilt: (value) => value === 'any' || (isMap(value) && Object.hasOwn(value, 'atLeast')),
    message: 'this way of joining items is not built yet; `all` and `settled` are',
  },
  {
    place: 'steps.*.on_failure',
    unbuilt: (value) => isMap(value) && Object.hasOwn(value, 'use'),
    message: '`use` is not built yet; escalate, fail and continue are',
  },
  {
    place: 'steps.*.tool',
    unbuilt: (value) => typeof value === 'string' && UNBUILT_TOOL.test(value),
    message: 'this tool is not built yet; `http` and module tools are',
  },
  {
    place: 'steps.*.agent.tools.*.tool',
    unbuilt: (value) => typeof value === 'string' && UNBUILT_TOOL.test(value),
    message: 'this tool is not built yet; `http` and module tools are',
  },
]

/** Reports what is not built yet and cuts it out, so that it is reported once. */
export const refuseUnsupported = (root: Json, findings: Findings): void => {
  for (const { place, unbuilt, message } of SPECIAL) {
    for (const path of placesOf(root, place.split('.'))) {
      const value = valueAt(root, path)
      if (value === undefined || !unbuilt(value)) continue
      findings.error(path, 'not_supported_yet', message)
      // a tool keeps its name, or its step would seem to have no kind
      if (path.at(-1) !== 'tool') removeAt(root, path)
    }
  }
  for (const pattern of NOT_SUPPORTED_YET) {
    for (const path of placesOf(root, pattern.split('.'))) {
      findings.error(path, 'not_supported_yet', `\`${path.at(-1)}\` belongs to the format but is not built yet`)
      removeAt(root, path)
    }
  }
}
