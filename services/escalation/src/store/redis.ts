// The desk's cases in Redis: per case one hash whose fields are written once, and two indexes by time.
import { deskKeys, type EscalationNotice, escalationNoticeSchema } from '@stepfleet/contracts'
import type { RedisClient } from '@stepfleet/runtime'
import { z } from 'zod'
import { type Asked, type CaseRecord, caseOf, isOfRun } from '../cases.ts'
import { BadCursor, type CaseFilter, type CasePage, type CaseStore } from './port.ts'

const DAY_S = 86_400
const CHUNK = 100
/** Members of `all` looked at when a case closes. Each closing leaves one to be forgotten later, so this many keep up. */
const PRUNE = 10

const askedSchema: z.ZodType<Asked> = z.strictObject({
  action: z.string(),
  by: z.string(),
  reason: z.string().nullable(),
  atMs: z.int(),
  command: z.string(),
})

const noticeOf = (text: string | null | undefined): EscalationNotice | null =>
  text ? escalationNoticeSchema.parse(JSON.parse(text)) : null

type Fields = readonly (string | null)[]

const recordOf = ([opened, closed, asked]: Fields): CaseRecord | null => {
  const first = noticeOf(opened)
  if (first?.type !== 'opened') return null
  const last = noticeOf(closed)
  return {
    opened: first,
    closed: last?.type === 'closed' ? last : null,
    asked: asked ? askedSchema.parse(JSON.parse(asked)) : null,
  }
}

const positionSchema = z.tuple([z.int(), z.string()])
type Position = z.infer<typeof positionSchema>

const encodeCursor = (position: Position): string => Buffer.from(JSON.stringify(position)).toString('base64url')
const decodeCursor = (cursor: string): Position => {
  try {
    return positionSchema.parse(JSON.parse(Buffer.from(cursor, 'base64url').toString()))
  } catch {
    throw new BadCursor('the cursor is not one of this list')
  }
}

/** True when `a` comes after `b`, newest first; cases of one millisecond by id, downwards, as Redis has them. */
const isAfter = (a: Position, b: Position): boolean => a[0] < b[0] || (a[0] === b[0] && a[1] < b[1])

/** Every result of a transaction; @throws its first error. */
const resultsOf = (results: [error: Error | null, result: unknown][] | null): unknown[] =>
  (results ?? []).map(([error, result]) => {
    if (error) throw error
    return result
  })

/** Index entries from a position on, newest first, in chunks. */
async function* entries(client: RedisClient, key: string, after: Position | null): AsyncGenerator<Position[]> {
  const from = after ? after[0] : '+inf'
  for (let offset = 0; ; offset += CHUNK) {
    const flat = await client.zrange(key, from, '-inf', 'BYSCORE', 'REV', 'LIMIT', offset, CHUNK, 'WITHSCORES')
    const chunk: Position[] = []
    for (let i = 0; i + 1 < flat.length; i += 2) chunk.push([Number(flat[i + 1]), flat[i] ?? ''])
    yield after ? chunk.filter((position) => isAfter(position, after)) : chunk
    if (chunk.length < CHUNK) return
  }
}

const fieldsOf = (client: RedisClient, key: string): Promise<Fields> => client.hmget(key, 'opened', 'closed', 'asked')

/** @param keepDays how long a closed case can still be read */
export const createCaseStore = (client: RedisClient, keepDays: number): CaseStore => {
  const keepSeconds = keepDays * DAY_S

  const forget = async (ns: string): Promise<void> => {
    const keys = deskKeys(ns)
    const sample = z.array(z.string()).parse((await client.zrandmember(keys.all, PRUNE)) ?? [])
    for (const id of sample) if ((await client.exists(keys.case(id))) === 0) await client.zrem(keys.all, id)
  }

  const put = async (notice: EscalationNotice): Promise<void> => {
    const keys = deskKeys(notice.ns)
    const key = keys.case(notice.case)
    if (notice.type === 'opened') {
      const done = await client
        .multi()
        .hsetnx(key, 'opened', JSON.stringify(notice))
        .zadd(keys.all, 'NX', notice.atMs, notice.case)
        .zadd(keys.open, 'NX', notice.atMs, notice.case)
        .hexists(key, 'closed')
        .exec()
      // `closed` was first: it found nothing to take out of the index
      if (resultsOf(done)[3] === 1) await client.zrem(keys.open, notice.case)
      return
    }
    const done = client.multi().hsetnx(key, 'closed', JSON.stringify(notice)).expire(key, keepSeconds)
    resultsOf(await done.zrem(keys.open, notice.case).exec())
    await forget(notice.ns)
  }

  const list = async (
    ns: string,
    filter: CaseFilter,
    page: { limit: number; cursor: string | undefined },
  ): Promise<CasePage> => {
    const keys = deskKeys(ns)
    const after = page.cursor === undefined ? null : decodeCursor(page.cursor)
    const seen = new Set<string>()
    const found: { position: Position; record: CaseRecord }[] = []
    for await (const chunk of entries(client, filter.status === 'open' ? keys.open : keys.all, after)) {
      const wanted = chunk.filter(([, id]) => !seen.has(id) && (filter.run === undefined || isOfRun(id, filter.run)))
      for (const [, id] of chunk) seen.add(id)
      const records = await Promise.all(wanted.map(async ([, id]) => recordOf(await fieldsOf(client, keys.case(id)))))
      for (const [i, record] of records.entries()) {
        const position = wanted[i]
        if (!record || !position) continue
        if (filter.status === 'all' || (record.closed !== null) === (filter.status === 'closed')) {
          found.push({ position, record })
        }
      }
      if (found.length > page.limit) break
    }
    const items = found.slice(0, page.limit)
    const last = items.at(-1)
    const more = found.length > page.limit && last !== undefined
    return { items: items.map(({ record }) => caseOf(record)), cursor: more ? encodeCursor(last.position) : null }
  }

  return {
    put,
    list,
    get: async (ns, id) => recordOf(await fieldsOf(client, deskKeys(ns).case(id))),
    ask: async (ns, id, asked) => {
      await client.hset(deskKeys(ns).case(id), 'asked', JSON.stringify(asked))
    },
    unask: async (ns, id, command) => {
      const key = deskKeys(ns).case(id)
      const text = await client.hget(key, 'asked')
      // a decision sent in between keeps its note; it is only shown, so a lost race here misleads and harms nothing
      if (text && askedSchema.parse(JSON.parse(text)).command === command) await client.hdel(key, 'asked')
    },
  }
}
