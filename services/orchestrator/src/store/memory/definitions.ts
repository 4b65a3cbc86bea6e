// Workflow definitions in memory.
import type { Json } from '@stepfleet/contracts'
import type { DefinitionStore, StoredDefinition } from '../port.ts'
import type { Clock } from './state.ts'

const parse = (text: string): Json => JSON.parse(text)

export const createMemoryDefinitions = (clock: Clock): DefinitionStore => {
  /** By `<ns>/<name>`, in the order of the versions. */
  const versions = new Map<string, StoredDefinition[]>()
  const kept = new Map<string, string>()
  const find = (ns: string, name: string, version: number | null): StoredDefinition | null => {
    const known = versions.get(`${ns}/${name}`) ?? []
    return (version === null ? known.at(-1) : known[version - 1]) ?? null
  }
  return {
    register: async (ns, name, hash, text) => {
      const known = versions.get(`${ns}/${name}`) ?? []
      if (known.at(-1)?.hash === hash) return { version: known.length, created: false }
      const version = known.length + 1
      known.push({ name, version, hash, definition: parse(text), createdAtMs: clock.nowMs() })
      versions.set(`${ns}/${name}`, known)
      return { version, created: true }
    },
    keep: async (ns, hash, text) => {
      kept.set(`${ns}/${hash}`, text)
    },
    definition: async (ns, name, version) => find(ns, name, version),
    byRef: async (ns, { name, version, hash }) => {
      if (version !== null) return find(ns, name, version)?.definition ?? null
      const text = kept.get(`${ns}/${hash}`)
      return text === undefined ? null : parse(text)
    },
    definitions: async (ns) =>
      [...versions]
        .filter(([key]) => key.startsWith(`${ns}/`))
        .map(([key, known]) => ({ name: key.slice(ns.length + 1), latest: known.length }))
        .sort((a, b) => (a.name < b.name ? -1 : 1)),
  }
}
