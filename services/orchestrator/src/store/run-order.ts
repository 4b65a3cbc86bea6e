// The order of run lists (newest first, then by id) and the cursor that names a place in it.
import type { RunFilter, RunHead } from './port.ts'

/** A place in a list: the run with this time and id, and all before it, have been seen. */
export interface Place {
  createdAtMs: number
  run: string
}

/** Negative when `a` comes first. The order of Redis's ZREVRANGE within a shard, too: ids are ASCII. */
export const newestFirst = (a: Place, b: Place): number =>
  b.createdAtMs - a.createdAtMs || (a.run < b.run ? 1 : a.run > b.run ? -1 : 0)

/** The cursor names nothing, or is of another list. */
export class BadCursorError extends Error {
  constructor() {
    super('not a cursor of this list')
    this.name = 'BadCursorError'
  }
}

export const formatCursor = (place: Place): string =>
  Buffer.from(`${place.createdAtMs}:${place.run}`).toString('base64url')

/** Throws BadCursorError. */
export const parseCursor = (cursor: string): Place => {
  const match = /^(\d+):([A-Za-z0-9_-]+)$/.exec(Buffer.from(cursor, 'base64url').toString())
  if (!match) throw new BadCursorError()
  const [, at = '', run = ''] = match
  return { createdAtMs: Number(at), run }
}

/** All conditions together; `sinceMs` and `untilMs` are inclusive and mean `createdAtMs`. */
export const matches = (head: RunHead, filter: RunFilter): boolean =>
  (filter.status === undefined || head.status === filter.status) &&
  (filter.workflow === undefined || head.workflow.name === filter.workflow) &&
  Object.entries(filter.labels ?? {}).every(([key, value]) => head.labels[key] === value) &&
  head.createdAtMs >= (filter.sinceMs ?? 0) &&
  head.createdAtMs <= (filter.untilMs ?? Number.POSITIVE_INFINITY)
