// Claims, reports and the run's payloads over Redis: what a worker asks of the record of a run.
import { createHash } from 'node:crypto'
import {
  EVENT_VERSION,
  type Event,
  inline,
  type Json,
  LIMITS,
  type Payload,
  parseOut,
  runKeys,
  shardKeys,
  type TaskRef,
  taskId,
} from '@stepfleet/contracts'
import type { ClientContext, Result } from 'ioredis'
import { z } from 'zod'
import type { ClaimAnswer, Claims, RunRecord } from './claims-port.ts'
import { receiptKey } from './mailbox.ts'
import { luaScript, type RedisClient } from './redis.ts'

declare module 'ioredis' {
  interface RedisCommander<Context extends ClientContext> {
    sfClaim(...args: string[]): Result<unknown, Context>
    sfBegin(...args: string[]): Result<number, Context>
    sfReport(...args: string[]): Result<unknown, Context>
  }
}

/** A payload over 16 MiB of JSON. */
export class PayloadTooLargeError extends Error {
  readonly bytes: number
  constructor(bytes: number) {
    super(`a payload of ${bytes} bytes is over the limit of ${LIMITS.payloadBytes}`)
    this.name = 'PayloadTooLargeError'
    this.bytes = bytes
  }
}

/** Inline, or handed to `put` first when its JSON is over the inline limit. Throws PayloadTooLargeError. */
export const makePayload = async (value: Json, put: (sha: string, text: string) => Promise<void>): Promise<Payload> => {
  const text = JSON.stringify(value)
  const bytes = Buffer.byteLength(text)
  if (bytes <= LIMITS.inlinePayloadBytes) return inline(value)
  if (bytes > LIMITS.payloadBytes) throw new PayloadTooLargeError(bytes)
  const blob = createHash('sha256').update(text).digest('hex')
  await put(blob, text)
  return { blob, bytes }
}

/** Set of the blobs a run has, so that a restart can delete them. No blob is named so: their names are hashes. */
export const blobIndexKey = (ns: string, run: string): string => runKeys(ns, run).blob('index')

/** Writes a blob of a run. The index first: a blob that is not listed would outlive its run. */
export const putBlob = async (client: RedisClient, run: { ns: string; run: string }, sha: string, text: string) => {
  // one connection, so in this order
  await Promise.all([
    client.sadd(blobIndexKey(run.ns, run.run), sha),
    client.set(runKeys(run.ns, run.run).blob(sha), text),
  ])
}

/** The JSON of a blob, or undefined when there is none. */
export const readBlob = async (client: RedisClient, run: { ns: string; run: string }, sha: string) => {
  const text = await client.get(runKeys(run.ns, run.run).blob(sha))
  if (text === null) return undefined
  const value: Json = JSON.parse(text)
  return value
}

const refusal = z.tuple([z.literal('refused'), z.enum(['not_out', 'superseded', 'held', 'reported'])])
const grant = z.tuple([z.literal('granted'), z.coerce.number()])

const claimAnswer = (reply: unknown): ClaimAnswer => {
  if (Array.isArray(reply) && reply[0] === 'refused') {
    const [status, why] = refusal.parse(reply)
    return { status, why }
  }
  const [status, atMs] = grant.parse(reply)
  return { status, atMs }
}
const reportAnswer = z.enum(['reported', 'repeat', 'late'])
const entryHead = z.object({ v: z.int().max(EVENT_VERSION, 'written by a later version of Stepfleet') })

const refOf = (task: TaskRef): [string, string, string] => [task.path, String(task.attempt), String(task.delivery)]

/** `|` separates the parts of an `out` field. */
const plain = (name: string, value: string): string => {
  if (value === '' || value.includes('|')) throw new Error(`a ${name} is not empty and has no "|": "${value}"`)
  return value
}

const createClaimsOnly = (client: RedisClient): Claims => {
  for (const [name, file] of [
    ['sfClaim', 'claim.3'],
    ['sfBegin', 'begin.1'],
    ['sfReport', 'report.6'],
  ] as const) {
    client.defineCommand(name, luaScript(new URL(`./lua/${file}.lua`, import.meta.url)))
  }
  return {
    claim: async (task, worker, token) => {
      const keys = runKeys(task.ns, task.run)
      const { claims, claimants } = shardKeys(keys.shard)
      const args = [...refOf(task), plain('worker id', worker), plain('token', token), taskId(task)]
      return claimAnswer(await client.sfClaim(keys.out, claims(worker), claimants, ...args))
    },
    begin: async (task, token) => (await client.sfBegin(runKeys(task.ns, task.run).out, ...refOf(task), token)) === 1,
    report: async (task, token, command) => {
      const { shard, out, journal, head } = runKeys(task.ns, task.run)
      const { mailbox, claims } = shardKeys(shard)
      const { worker, claimedAtMs } = command.outcome
      const receipt = receiptKey(task.ns, task.run, command.id)
      const answer = await client.sfReport(
        ...[out, mailbox, claims(worker), journal, head, receipt],
        ...[...refOf(task), token, taskId(task), JSON.stringify(command)],
        ...[`"command":${JSON.stringify(command.id)}`, String(claimedAtMs)],
      )
      return reportAnswer.parse(answer)
    },
    stillOut: (tasks) =>
      Promise.all(
        tasks.map(async (task) => {
          const field = await client.hget(runKeys(task.ns, task.run).out, task.path)
          return field !== null && parseOut(field).attempt === task.attempt
        }),
      ),
  }
}

const createRunRecord = (client: RedisClient): RunRecord => ({
  events: async (ns, run, seqs) => {
    if (seqs.length === 0) return []
    const pipeline = client.pipeline()
    for (const seq of seqs) pipeline.xrange(runKeys(ns, run).journal, `${seq}-0`, `${seq}-0`)
    const found = (await pipeline.exec()) ?? []
    return seqs.map((seq, i) => {
      const [error, entries] = found[i] ?? [null, []]
      if (error) throw error
      const text = z.array(z.tuple([z.string(), z.array(z.string())])).parse(entries)[0]?.[1][1]
      if (text === undefined) throw new Error(`the journal of ${ns}~${run} has no entry ${seq}`)
      const body: object = JSON.parse(text)
      entryHead.parse(body)
      // written by the engine, in a version this process knows
      return { ...body, seq } as Event
    })
  },
  blob: async (ns, run, sha) => {
    const value = await readBlob(client, { ns, run }, sha)
    if (value === undefined) throw new Error(`the run ${ns}~${run} has no blob ${sha}`)
    return value
  },
  payload: (ns, run, value) => makePayload(value, (sha, text) => putBlob(client, { ns, run }, sha, text)),
})

/** Claims and the run's record over a connection that is not blocked by others. */
export const createClaims = (client: RedisClient): Claims & RunRecord => ({
  ...createClaimsOnly(client),
  ...createRunRecord(client),
})
