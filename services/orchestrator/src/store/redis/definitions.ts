// Workflow definitions over Redis: versions by name, and by hash those that came with a run.
import { definitionKey, type Json, jsonSchema, workflowsKey } from '@stepfleet/contracts'
import type { RedisClient } from '@stepfleet/runtime'
import { z } from 'zod'
import type { DefinitionStore, StoredDefinition } from '../port.ts'

const registered = z.tuple([z.number(), z.number()])
const record = z.object({ hash: z.string(), createdAtMs: z.number(), definition: jsonSchema })
const LATEST = '#latest'

const definition = async (client: RedisClient, ns: string, name: string, version: number | null) => {
  const key = workflowsKey(ns)
  const number = version ?? Number(await client.hget(key, `${name}${LATEST}`))
  const text = number > 0 ? await client.hget(key, `${name}@${number}`) : null
  if (text === null) return null
  const found: StoredDefinition = { name, version: number, ...record.parse(JSON.parse(text)) }
  return found
}

const names = async (client: RedisClient, ns: string): Promise<{ name: string; latest: number }[]> => {
  const found = new Map<string, number>()
  let cursor = '0'
  do {
    const [next, flat] = await client.hscan(workflowsKey(ns), cursor, 'MATCH', `*${LATEST}`, 'COUNT', 500)
    cursor = next
    for (let i = 0; i < flat.length; i += 2) found.set((flat[i] ?? '').slice(0, -LATEST.length), Number(flat[i + 1]))
  } while (cursor !== '0')
  return [...found].map(([name, latest]) => ({ name, latest })).sort((a, b) => (a.name < b.name ? -1 : 1))
}

export const createDefinitions = (client: RedisClient): DefinitionStore => ({
  register: async (ns, name, hash, text) => {
    const [version, created] = registered.parse(await client.sfRegister(workflowsKey(ns), name, hash, text))
    return { version, created: created === 1 }
  },
  keep: async (ns, hash, text) => {
    await client.set(definitionKey(ns, hash), text)
  },
  definition: (ns, name, version) => definition(client, ns, name, version),
  byRef: async (ns, ref) => {
    if (ref.version !== null) return (await definition(client, ns, ref.name, ref.version))?.definition ?? null
    const text = await client.get(definitionKey(ns, ref.hash))
    if (text === null) return null
    const value: Json = JSON.parse(text)
    return value
  },
  definitions: (ns) => names(client, ns),
})
