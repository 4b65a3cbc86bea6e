// What callers need of a run, over Redis: submit, ask, read.
import { fullRunId, isBlob, type OutEntry, parseOut, runKeys, shardKeys } from '@stepfleet/contracts'
import { blobIndexKey, createMailbox, putBlob, type RedisClient, readBlob } from '@stepfleet/runtime'
import { z } from 'zod'
import type { RunReader, Submission, Submitted } from '../port.ts'
import { upcast } from '../upcast.ts'
import { parseFlatHead, parseHead } from './heads.ts'
import { listRuns } from './list.ts'

const submitAnswer = z.tuple([z.enum(['created', 'exists']), z.array(z.string())])

const submit = async (client: RedisClient, submission: Submission): Promise<Submitted> => {
  const { command, tip, fingerprint, onConflict } = submission
  const { ns, run, workflow, labels, input } = command
  const keys = runKeys(ns, run)
  const answer = await client.sfSubmit(
    ...[keys.head, shardKeys(keys.shard).mailbox, keys.journal, keys.out, keys.snapshot, blobIndexKey(ns, run)],
    ...[ns, run, tip, fingerprint, onConflict === 'restart' ? '1' : '', JSON.stringify(command)],
    ...[JSON.stringify(workflow), workflow.name, JSON.stringify(labels), isBlob(input) ? input.blob : ''],
    ...Object.entries(labels).map(([key, value]) => `${key}:${value}`),
  )
  const [status, flat] = submitAnswer.parse(answer)
  const head = parseFlatHead(ns, run, flat)
  if (!head) throw new Error(`submit of ${fullRunId(ns, run)} answered no head`)
  return { status, head }
}

/** The event of a journal entry; its sequence is in its id. */
const parseEntry = (id: string, fields: readonly string[]) => {
  const body: object = JSON.parse(fields[1] ?? 'null')
  return upcast({ v: 0, ...body, seq: Number.parseInt(id, 10) })
}

const out = async (client: RedisClient, key: string, paths: readonly string[] | undefined) => {
  const entries = new Map<string, OutEntry>()
  if (paths === undefined) {
    for (const [path, field] of Object.entries(await client.hgetall(key))) entries.set(path, parseOut(field))
  } else if (paths.length > 0) {
    const fields = await client.hmget(key, ...paths)
    for (const [i, path] of paths.entries()) {
      const field = fields[i]
      if (field) entries.set(path, parseOut(field))
    }
  }
  return entries
}

const snapshot = async (client: RedisClient, key: string) => {
  const text = await client.get(key)
  if (text === null) return null
  const cut = text.indexOf(' ')
  return { seq: Number(text.slice(0, cut)), text: text.slice(cut + 1) }
}

/** Redis time. On a Cluster the nodes' clocks differ: mailbox entries carry the time of their own node. */
const now = async (client: RedisClient): Promise<number> => {
  const [seconds, micros] = await client.time()
  return Number(seconds) * 1_000 + Math.floor(Number(micros) / 1_000)
}

export const createReader = (client: RedisClient): RunReader => {
  const mailbox = createMailbox(client)
  return {
    submit: (submission) => submit(client, submission),
    send: mailbox.send,
    receipt: mailbox.receipt,
    head: async (ns, run) => parseHead(ns, run, await client.hgetall(runKeys(ns, run).head)),
    journal: async (ns, run, from, limit) => {
      const entries = await client.xrange(runKeys(ns, run).journal, `${from}-0`, '+', 'COUNT', limit)
      return entries.map(([id, fields]) => parseEntry(id, fields))
    },
    out: (ns, run, paths) => out(client, runKeys(ns, run).out, paths),
    list: (ns, filter, limit, cursor) => listRuns(client, { ns, filter, limit, cursor }),
    putBlob: (ns, run, sha, text) => putBlob(client, { ns, run }, sha, text),
    blob: async (ns, run, sha) => (await readBlob(client, { ns, run }, sha)) ?? null,
    snapshot: (ns, run) => snapshot(client, runKeys(ns, run).snapshot),
    now: () => now(client),
  }
}
