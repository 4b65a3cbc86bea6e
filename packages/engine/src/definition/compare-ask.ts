// compareAsk: whether code asks for a step as it did when the journal was written.
import type { Json } from '@stepfleet/contracts'
import { isMap } from '../expressions/values.ts'
import { canonicalJson } from './canonical.ts'

const SHOWN = 80

const clip = (value: Json | undefined): string => {
  const text = value === undefined ? 'nothing' : JSON.stringify(value)
  return text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text
}

type Difference = { at: string; was: Json | undefined; is: Json | undefined }

const below = (at: string, key: string | number): string => (at === '' ? String(key) : `${at}.${key}`)

/** The first place where two values differ, in the order of their keys. */
const differenceOf = (was: Json | undefined, is: Json | undefined, at: string): Difference | null => {
  if (Array.isArray(was) && Array.isArray(is)) {
    for (let i = 0; i < Math.max(was.length, is.length); i += 1) {
      const found = differenceOf(was[i], is[i], below(at, i))
      if (found) return found
    }
    return null
  }
  if (was !== undefined && is !== undefined && isMap(was) && isMap(is)) {
    for (const key of new Set([...Object.keys(was), ...Object.keys(is)].sort())) {
      const found = differenceOf(was[key], is[key], below(at, key))
      if (found) return found
    }
    return null
  }
  return was === is ? null : { at, was, is }
}

/** Null when they are the same, whatever the order of their keys; else the difference in plain words. */
export const compareAsk = (name: string, journal: Json, asked: Json): string | null => {
  if (canonicalJson(journal) === canonicalJson(asked)) return null
  const found = differenceOf(journal, asked, '')
  if (!found) return null
  return `step ${name}: ${found.at} is ${clip(found.is)}, but was ${clip(found.was)} when the run came to it`
}
