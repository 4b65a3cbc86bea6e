// Two ledgers that the system under test cannot edit: the scripted model's, and what the tools of the tests write.
import { existsSync, readFileSync } from 'node:fs'

/** Lines of a file of JSON lines; a torn last one is left out. */
const linesOf = <T>(file: string): T[] => {
  if (!existsSync(file)) return []
  const whole = readFileSync(file, 'utf8')
  return whole
    .slice(0, whole.lastIndexOf('\n') + 1)
    .split('\n')
    .filter((line) => line !== '')
    .map((line): T => JSON.parse(line))
}

/** A line of the scripted model: synced when a call begins, and again before its last byte leaves. */
export interface ModelLine {
  /** The same for both lines of a call. */
  n: number
  atMs: number
  run?: string
  step?: string
  attempt?: number
  delivery?: number
  /** Effect key. */
  key: string
  turn: number
  outcome: 'begun' | 'answered' | 'failed' | 'cut' | 'aborted' | 'rejected'
}

/** A line of a tool: synced before the tool goes on. */
export interface EffectLine {
  atMs: number
  tool: string
  phase: 'begun' | 'done'
  key: string
  attempt: number
  pid: number
  input: Record<string, unknown>
}

export const modelLines = (file: string): ModelLine[] => linesOf<ModelLine>(file)
export const effectLines = (file: string): EffectLine[] => linesOf<EffectLine>(file)
