// Addresses that lead nowhere: another method of a known one (405), or the nearest one there is (404).
import { nearest } from '@stepfleet/contracts'
import { Rejection } from '../problems.ts'

export interface RouteList {
  add(methods: readonly string[], url: string): void
  /** What to answer to a request that no route took. */
  reject(method: string, url: string): Rejection
}

const UNENCODED_STEP = /^\/v1\/runs\/[^/]+\/steps\/.+\/.+/
const UNENCODED_CIRCUIT = /^\/v1\/fleet\/circuits\/.+\/.+/
const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')

/** `/v1/runs/:id` as a pattern for whole paths. */
const patternOf = (url: string): RegExp =>
  new RegExp(
    `^${url
      .split('/')
      .map((part) => (part.startsWith(':') ? '[^/]+' : escaped(part)))
      .join('/')}$`,
  )

const shown = (url: string): string => url.replace(/:(\w+)/g, '{$1}')

/** The known address whose fixed segments are nearest; parameters take the segment that is asked for. */
const nearestRoute = (path: string, urls: Iterable<string>): string | null => {
  const asked = path.split('/')
  const filled = new Map<string, string>()
  for (const url of urls) {
    const parts = url.split('/')
    if (parts.length !== asked.length) continue
    filled.set(parts.map((part, i) => (part.startsWith(':') ? (asked[i] ?? '') : part)).join('/'), url)
  }
  const found = nearest(path, filled.keys())
  return found === null ? null : (filled.get(found) ?? null)
}

export const createRouteList = (): RouteList => {
  const routes = new Map<string, { pattern: RegExp; methods: Set<string> }>()
  return {
    add: (methods, url) => {
      if (url.includes('*')) return
      const route = routes.get(url) ?? { pattern: patternOf(url), methods: new Set<string>() }
      for (const method of methods) route.methods.add(method)
      routes.set(url, route)
    },
    reject: (method, url) => {
      const path = url.split('?')[0]?.slice(0, 2_000) ?? ''
      const known = [...routes.values()].filter((route) => route.pattern.test(path))
      if (known.length > 0) {
        const allow = [...new Set(known.flatMap((route) => [...route.methods]))].sort().join(', ')
        return new Rejection('method_not_allowed', `${method} is not possible here; ${allow} is`, {
          headers: { allow },
        })
      }
      if (UNENCODED_STEP.test(path))
        return new Rejection('not_found', 'write the step path as one percent-encoded segment: work%2Fturn-1%2Fllm')
      if (UNENCODED_CIRCUIT.test(path))
        return new Rejection(
          'not_found',
          'write the name of the circuit as one percent-encoded segment: anthropic%2Fclaude-sonnet-5-5',
        )
      const guess = nearestRoute(path, routes.keys())
      const hint = guess === null ? 'GET /docs lists what there is' : `the nearest is ${shown(guess)}`
      return new Rejection('not_found', `nothing is at this address; ${hint}`)
    },
  }
}
