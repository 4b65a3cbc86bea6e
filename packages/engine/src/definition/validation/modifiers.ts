// Checks of modifiers: conditions, lists, repeats, the cache.
import { type Definition, LIMITS, type StepDefinition } from '@stepfleet/contracts'
import { holdsExpression } from '../../expressions/scan.ts'
import { isOneExpression } from '../../expressions.ts'
import { toolEffect } from '../compile/defaults.ts'
import type { Findings, Path } from './findings.ts'
import type { Spot } from './spots.ts'

const oneExpression = (text: string): string => `\${{ ${text.trim()} }}`

/** A field that is one expression and nothing else. */
const checkOne = (text: string, path: Path, message: string, findings: Findings): void => {
  if (isOneExpression(text)) return
  findings.error(path, 'invalid_value', message, holdsExpression(text) ? null : oneExpression(text))
}

/** A join that no list of at most `most` items can meet. */
const checkJoin = ({ each }: StepDefinition, most: number, path: Path, findings: Findings): void => {
  const join = typeof each === 'object' ? each.join : undefined
  const at = [...path, 'each', 'join']
  if (join === 'any' && most === 0) findings.error(at, 'invalid_value', 'the list is empty: no item can ever complete')
  if (typeof join !== 'object' || join.atLeast <= most) return
  const message = `${join.atLeast} of ${most === LIMITS.eachItems ? 'at most ' : ''}${most} items can never complete`
  findings.error(at, 'invalid_value', message, most === 0 ? null : String(most))
}

const checkEach = (step: StepDefinition, path: Path, findings: Findings): void => {
  const { each } = step
  if (each === undefined) return
  const items = typeof each === 'string' ? each : each.in
  const at = typeof each === 'string' ? [...path, 'each'] : [...path, 'each', 'in']
  if (typeof items === 'string') {
    checkOne(items, at, 'each goes over a list or one expression that gives one', findings)
  } else if (items.length > LIMITS.eachItems) {
    findings.error(at, 'invalid_value', `each goes over at most ${LIMITS.eachItems} items`)
  }
  checkJoin(step, typeof items === 'string' ? LIMITS.eachItems : items.length, path, findings)
}

/** What must not happen twice must not be told to have happened either. */
const checkCache = (step: StepDefinition, path: Path, findings: Findings): void => {
  if (!step.cache) return
  const effect =
    step.tool === undefined ? step.effect : toolEffect({ tool: step.tool, with: step.with, effect: step.effect })
  if (effect !== 'once') return
  const message = 'a step of effect `once` does something: an output from a cache would do nothing'
  findings.error([...path, 'cache'], 'misplaced_modifier', message)
}

/** Who holds a place under a key while the step is in it: the run, or a block around the step. */
const holderOf = (definition: Definition, { step, scope }: Spot): string | null => {
  const key = step.concurrency?.key
  // another item or iteration of the same text may be another key
  if (key === undefined || (holdsExpression(key) && /\b(index|previous)\b/.test(key))) return null
  for (let block = scope.owner; block; block = block.scope.owner) {
    if (block.step.concurrency?.key === key) return `\`${block.id}\``
  }
  return definition.concurrency?.key === key ? 'the run' : null
}

/** Waiting for a place that is held around the step would be waiting for itself. */
const checkLimit = (definition: Definition, spot: Spot, findings: Findings): void => {
  const holder = holderOf(definition, spot)
  if (holder === null) return
  const message = `${holder} holds a place under the same key for as long as this step is in it: it would wait for ever`
  findings.error([...spot.path, 'concurrency', 'key'], 'invalid_value', message)
}

/** What happens when nobody answers in time means nothing where there is no such time. */
const checkExpiry = ({ step, path }: Spot, findings: Findings): void => {
  const asked: [Path, StepDefinition['approval']][] = [
    [[...path, 'approval'], step.approval],
    [[...path, 'fallback', 'approval'], step.fallback?.approval],
  ]
  for (const [at, approval] of asked) {
    if (approval?.on_expiry === undefined || approval.expires !== undefined) continue
    findings.error([...at, 'on_expiry'], 'misplaced_modifier', '`on_expiry` needs `expires`: this never expires')
  }
}

/** Checks the modifiers of a step that has a single kind. */
export const checkModifiers = (definition: Definition, spot: Spot, findings: Findings): void => {
  const { step, path } = spot
  if (typeof step.if === 'string')
    checkOne(step.if, [...path, 'if'], '`if` is true, false or one expression and nothing else', findings)
  const until = step.repeat?.until
  if (until !== undefined)
    checkOne(until, [...path, 'repeat', 'until'], '`until` is one expression and nothing else', findings)
  const from = step.confidence?.from
  if (from !== undefined)
    checkOne(from, [...path, 'confidence', 'from'], '`from` is one expression and nothing else', findings)
  if (step.repeat?.on_max !== undefined && until === undefined) {
    const message = '`on_max` is about an `until` that never was true: here is none'
    findings.error([...path, 'repeat', 'on_max'], 'misplaced_modifier', message)
  }
  checkExpiry(spot, findings)
  checkLimit(definition, spot, findings)
  checkEach(step, path, findings)
  checkCache(step, path, findings)
}
