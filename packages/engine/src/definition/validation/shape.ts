// The shape of a definition: what zod finds, in plain words, and what is left when the wrong parts are cut out.
import {
  AGENT_TOOLS,
  type Definition,
  definitionSchema,
  durationSchema,
  type Json,
  nearest,
  STEP_NAME,
} from '@stepfleet/contracts'
import { isMap, type JsonMap, kindOf } from '../../expressions/values.ts'
import { unknownField } from './fields.ts'
import { type Findings, newFindings, type Path } from './findings.ts'
import { putAt, removeAt, valueAt } from './raw.ts'

type Issue = NonNullable<ReturnType<typeof definitionSchema.safeParse>['error']>['issues'][number]
type IssueOf<C extends Issue['code']> = Extract<Issue, { code: C }>

/** A place to cut out, or to fill with what is missing, so that the rest can be looked at. */
type Repair = { kind: 'cut'; path: Path } | { kind: 'fill'; path: Path; value: Json }

const NOT_A_DURATION = durationSchema.safeParse('').error?.issues[0]?.message

const WORDS: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a map',
  record: 'a map',
}
const wordFor = (type: string): string => WORDS[type] ?? type

/** `10 minutes` and `90 sec` as durations are written here. */
const durationHint = (value: Json | undefined): string | null => {
  const match = /^\s*(\d+)\s*(ms|milli|s|m|h|d)[a-z]*\.?\s*$/i.exec(typeof value === 'string' ? value : '')
  if (!match) return null
  const unit = match[2]?.toLowerCase() ?? ''
  return `${match[1]}${unit === 'milli' ? 'ms' : unit}`
}

const pathOf = (base: Path, issue: Issue): Path => [
  ...base,
  ...issue.path.map((key) => (typeof key === 'symbol' ? String(key) : key)),
]

/** What stands in for a missing field while the rest is looked at. */
const PLACEHOLDERS: ReadonlyMap<string, Json> = new Map<string, Json>([
  ['name', 'unnamed'],
  ['steps', {}],
  ['model', 'anthropic/claude-sonnet-5-5'],
  ['prompt', ''],
  ['description', ''],
  ['input', { type: 'object' }],
  ['tool', 'unnamed'],
  ['content', ''],
  ['messages', [{ role: 'user', content: '' }]],
])

const placeholder = (path: Path): Repair | null => {
  const value = PLACEHOLDERS.get(String(path.at(-1)))
  // a copy: later repairs change what stands there
  return value === undefined ? null : { kind: 'fill', path, value: JSON.parse(JSON.stringify(value)) }
}

const missing = (path: Path): Repair => placeholder(path) ?? { kind: 'cut', path: path.slice(0, -1) }

/** Takes a wrong value out; an item of these lists is replaced, so that the places of the others stay right. */
const cut = (path: Path): Repair => {
  const at = path.at(-1)
  const list = path.at(-2)
  if (typeof at === 'number' && list === 'tools') return { kind: 'fill', path, value: `unnamed_${at}` }
  if (typeof at === 'number' && list === 'messages') return { kind: 'fill', path, value: { role: 'user', content: '' } }
  return placeholder(path) ?? { kind: 'cut', path }
}

const wrongType = (expected: string, path: Path, root: Json, findings: Findings): Repair => {
  const value = valueAt(root, path)
  if (value !== undefined) {
    findings.error(path, 'wrong_type', `must be ${expected}, got ${kindOf(value)}`)
    return cut(path)
  }
  findings.error(path, 'missing_field', `\`${path.at(-1)}\` is missing; it is ${expected}`)
  return missing(path)
}

const unknownKeys = (issue: IssueOf<'unrecognized_keys'>, path: Path, findings: Findings): Repair[] =>
  issue.keys.map((key) => {
    const { message, suggestion } = unknownField(path, key)
    findings.error([...path, key], 'unknown_field', message, suggestion)
    return { kind: 'cut', path: [...path, key] }
  })

/** The variant that was meant: the one whose own type fits; among several, the one with the fewest problems. */
const unionVariant = (issue: IssueOf<'invalid_union'>, value: Json | undefined): Issue[] | null => {
  const isWord = value === null || typeof value !== 'object'
  const fitting = issue.errors.filter(
    (issues) =>
      !issues.some(
        (one) => one.path.length === 0 && (one.code === 'invalid_type' || (one.code === 'invalid_value' && !isWord)),
      ),
  )
  return fitting.toSorted((a, b) => a.length - b.length)[0] ?? null
}

const TOOL_KINDS = ['tool', 'run', 'approval'] as const satisfies readonly (keyof typeof AGENT_TOOLS)[]
const REST_OF_A_TOOL = AGENT_TOOLS.tool.omit({ tool: true })

/** An inline tool of an agent, by what runs it: of all variants at once the nearest by count may be another. */
const agentTool = (value: JsonMap, path: Path, root: Json, findings: Findings): Repair[] => {
  const kinds = TOOL_KINDS.filter((kind) => Object.hasOwn(value, kind))
  const [kind] = kinds
  if (kinds.length > 1) {
    findings.error(path, 'several_kinds', `a tool is run by exactly one of ${kinds.join(' and ')}`)
    return [cut(path)]
  }
  const parsed = (kind === undefined ? REST_OF_A_TOOL : AGENT_TOOLS[kind]).safeParse(value)
  const repairs = (parsed.error?.issues ?? []).flatMap((issue) => explain(issue, path, root, findings))
  if (kind !== undefined) return repairs
  const near = Object.keys(value).map((key) => unknownField(path, key).suggestion)
  if (!near.some((name) => name !== null && TOOL_KINDS.some((known) => known === name)))
    findings.error(path, 'no_kind', `a tool of an agent needs one of ${TOOL_KINDS.join(', ')}`)
  return [cut(path)]
}

const union = (issue: IssueOf<'invalid_union'>, path: Path, root: Json, findings: Findings): Repair[] => {
  const value = valueAt(root, path)
  if (path.at(-2) === 'tools' && value !== undefined && isMap(value)) return agentTool(value, path, root, findings)
  if (path.at(-1) === 'wait' && value !== undefined && isMap(value)) {
    const known = ['for', 'until'].filter((key) => Object.hasOwn(value, key))
    if (known.length !== 1) {
      findings.error(path, 'invalid_value', 'a wait says exactly one of `for` and `until`')
      return [cut(path)]
    }
  }
  const variant = unionVariant(issue, value)
  if (variant) return variant.flatMap((inner) => explain(inner, path, root, findings))
  const wanted = issue.errors
    .flat()
    .flatMap((one) => (one.code === 'invalid_type' && one.path.length === 0 ? [one.expected] : []))
  return [wrongType([...new Set(wanted)].map(wordFor).join(' or '), path, root, findings)]
}

const limit = (issue: IssueOf<'too_big'> | IssueOf<'too_small'>): string => {
  const big = issue.code === 'too_big'
  const bound = big ? issue.maximum : issue.minimum
  const side = big ? 'at most' : 'at least'
  if (issue.origin === 'string') return `must have ${side} ${bound} characters`
  if (issue.origin === 'array') return `must have ${side} ${bound} item${bound === 1 ? '' : 's'}`
  return `must be ${issue.inclusive === false ? (big ? 'under' : 'over') : side} ${bound}`
}

const enumeration = (issue: IssueOf<'invalid_value'>, path: Path, root: Json, findings: Findings): void => {
  const value = valueAt(root, path)
  const values = issue.values.map(String)
  if (value !== undefined && typeof value !== 'string') {
    findings.error(path, 'wrong_type', `must be ${values.slice(0, 8).join(', ')}, got ${kindOf(value)}`)
    return
  }
  const more = values.length > 8 ? ', …' : ''
  const near = value === undefined ? null : nearest(value, values)
  findings.error(path, 'invalid_value', `must be one of ${values.slice(0, 8).join(', ')}${more}`, near)
}

const stepNameHint = (name: string): string | null => {
  const hint = name.toLowerCase().replaceAll(/[^a-z0-9_]/g, '_')
  return STEP_NAME.test(hint) && hint !== name ? hint : null
}

/** Reports one issue, and says what to cut out. */
const explain = (issue: Issue, base: Path, root: Json, findings: Findings): Repair[] => {
  const path = pathOf(base, issue)
  const found = [cut(path)]
  switch (issue.code) {
    case 'unrecognized_keys':
      return unknownKeys(issue, path, findings)
    case 'invalid_union':
      return union(issue, path, root, findings)
    case 'invalid_type':
      return [wrongType(wordFor(issue.expected), path, root, findings)]
    case 'invalid_value':
      enumeration(issue, path, root, findings)
      return found
    case 'invalid_key': {
      const name = String(path.at(-1))
      findings.error(path, 'invalid_value', issue.issues[0]?.message ?? 'not a valid name', stepNameHint(name))
      return found
    }
    case 'too_big':
    case 'too_small':
      findings.error(path, 'invalid_value', limit(issue))
      return found
    case 'custom': {
      const duration = issue.message === NOT_A_DURATION
      const hint = duration ? durationHint(valueAt(root, path)) : null
      findings.error(path, duration ? 'invalid_duration' : 'invalid_value', issue.message, hint)
      return found
    }
    default: {
      const plain = issue.message.startsWith('Invalid')
        ? 'must be a lower case letter, then letters, digits and _'
        : issue.message
      findings.error(path, 'invalid_value', plain)
      return found
    }
  }
}

/** Later items of a list are cut first, so that the places of the earlier ones stay right. */
const repairAll = (root: Json, repairs: readonly Repair[]): void => {
  const order = repairs.toSorted((a, b) => Number(b.path.at(-1)) - Number(a.path.at(-1)) || 0)
  for (const repair of order) {
    if (repair.kind === 'fill') putAt(root, repair.path, repair.value)
    else removeAt(root, repair.path)
  }
}

/** A definition has few layers; each round repairs at least one part. */
const ROUNDS = 8

/**
 * Reports every problem of the shape. `definition` is what is left when the wrong parts are cut out, so that the
 * other checks can go on (null when nothing sensible is left); it is the whole definition when nothing was
 * wrong. `root` is changed.
 */
export const checkShape = (root: Json, findings: Findings): Definition | null => {
  if (!isMap(root)) {
    findings.error([], 'wrong_type', `a definition is a map, got ${kindOf(root)}`)
    return null
  }
  const silent = newFindings()
  for (let round = 0; round < ROUNDS; round += 1) {
    const parsed = definitionSchema.safeParse(root)
    if (parsed.success) return parsed.data
    // what shows up after a repair is a consequence of it, not a problem of its own
    const report = round === 0 ? findings : silent
    repairAll(
      root,
      parsed.error.issues.flatMap((issue) => explain(issue, [], root, report)),
    )
  }
  return null
}
