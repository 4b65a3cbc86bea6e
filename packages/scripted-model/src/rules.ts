// Rules: what calls of a model, a step or a key are answered, call by call. They can be set while the server runs.
import { z } from 'zod'
import { readDirective } from './answering/directives.ts'
import { PROTOCOL_NAMES } from './answering/script.ts'
import { readEffectDirective } from './effects/directives.ts'

const SCOPES = ['key', 'step', 'run', 'model', 'path', 'rule'] as const

const given = z.strictObject({
  /** A rule with the same id takes its place. */
  id: z
    .string()
    .min(1)
    .max(200)
    .regex(/^[^\n]*$/, 'one line'),
  /** Calls of models, or of the effect server. */
  on: z.enum(['model', 'effect']).default('model'),
  /** Calls it is for; `*` in a text stands for anything. Without any, all calls. */
  match: z
    .strictObject({
      protocol: z.enum(PROTOCOL_NAMES).optional(),
      model: z.string().optional(),
      run: z.string().optional(),
      step: z.string().optional(),
      key: z.string().optional(),
      turn: z.int().positive().optional(),
      method: z.string().optional(),
      path: z.string().optional(),
    })
    .default({}),
  /** What its calls are counted by: each has its own first, second, … call. */
  per: z.enum(SCOPES).default('key'),
  /** Directives of the first calls, in order, each `times` times; '' is a well-behaved answer. */
  play: z.array(z.strictObject({ do: z.string(), times: z.int().positive().default(1) })).default([]),
  /** Directives of all later calls; absent: the rule is over. */
  later: z.string().optional(),
})
/** As it is given: all but the id has a default. */
export type Rule = z.input<typeof given>
export type ReadRule = z.output<typeof given>

/** Fields that only calls of one kind have: a rule that asks for others would never match. */
const STRANGE = { model: ['method', 'path'], effect: ['protocol', 'model', 'turn'] } as const

export const ruleSchema = given.superRefine((rule, context) => {
  const { on, match, per, play, later } = rule
  const strange = STRANGE[on].find((name) => match[name] !== undefined)
  if (strange) context.addIssue({ code: 'custom', path: ['match', strange], message: `calls of ${on}s have none` })
  if (per === (on === 'model' ? 'path' : 'model'))
    context.addIssue({ code: 'custom', path: ['per'], message: `calls of ${on}s have none` })
  for (const text of [...play.map((entry) => entry.do), ...(later === undefined ? [] : [later])])
    try {
      if (on === 'model') readDirective(text)
      else readEffectDirective(text)
    } catch (error) {
      context.addIssue({ code: 'custom', message: error instanceof Error ? error.message : String(error) })
    }
})

/** What rules look at in a call. */
export interface Matchable {
  key: string
  run: string | null
  step: string | null
  protocol?: string
  model?: string
  turn?: number
  method?: string
  path?: string
}

/** What a rule says to a call. */
export interface Told {
  rule: string
  /** What the call was counted by. */
  scope: string
  directives: string
}

/** Whether a text fits a pattern in which `*` stands for anything. */
export const fits = (pattern: string, text: string): boolean => {
  const parts = pattern.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\/]/g, '\\$&'))
  return new RegExp(`^${parts.join('.*')}$`, 's').test(text)
}

const TEXTS = ['protocol', 'model', 'run', 'step', 'key', 'method', 'path'] as const

const matches = ({ match }: ReadRule, call: Matchable): boolean => {
  if (match.turn !== undefined && match.turn !== call.turn) return false
  return TEXTS.every((name) => {
    const pattern = match[name]
    return pattern === undefined || fits(pattern, call[name] ?? '')
  })
}

const scopeOf = ({ per }: ReadRule, call: Matchable): string =>
  per === 'rule' ? 'rule' : `${per}:${call[per] ?? call.key}`

/** What a rule plays in call `index` of a scope, from 0; null: the rule is over. */
const playedAt = ({ play, later }: ReadRule, index: number): string | null => {
  let left = index
  for (const { do: text, times } of play) {
    if (left < times) return text
    left -= times
  }
  return later ?? null
}

export class Rules {
  readonly #rules = new Map<string, ReadRule>()
  /** Calls per rule and scope. */
  readonly #calls = new Map<string, number>()

  /** Throws ZodError for what is no rule. */
  set(rule: unknown): ReadRule {
    const read = ruleSchema.parse(rule)
    this.#rules.set(read.id, read)
    return read
  }

  /** False when there was none. Its counts go too: set again it begins anew. */
  delete(id: string): boolean {
    for (const key of this.#calls.keys()) if (key.startsWith(`${id}\n`)) this.#calls.delete(key)
    return this.#rules.delete(id)
  }

  clear(): void {
    this.#rules.clear()
    this.#calls.clear()
  }

  list(): ReadRule[] {
    return [...this.#rules.values()]
  }

  /** A call that an earlier life of the server counted. */
  restore(rule: string, scope: string): void {
    const key = `${rule}\n${scope}`
    this.#calls.set(key, (this.#calls.get(key) ?? 0) + 1)
  }

  /** What the first rule that matches and is not over says; asking counts the call. */
  take(on: ReadRule['on'], call: Matchable): Told | null {
    for (const rule of this.#rules.values()) {
      if (rule.on !== on || !matches(rule, call)) continue
      const scope = scopeOf(rule, call)
      const said = playedAt(rule, this.#calls.get(`${rule.id}\n${scope}`) ?? 0)
      if (said === null) continue
      this.restore(rule.id, scope)
      return { rule: rule.id, scope, directives: said }
    }
    return null
  }
}
