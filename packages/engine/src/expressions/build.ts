// What is gathered while an expression is compiled: what it mentions, and what is wrong with it.
import type { ASTNode } from '@marcbachmann/cel-js'
import type { Json } from '@stepfleet/contracts'
import type { Scope, StepMention } from '../definition/plan.ts'
import type { Meter } from './values.ts'

/** One evaluation: the names it sees, the variables of its comprehensions, and what it may still cost. */
export interface Frame extends Meter {
  readonly scope: Scope
  readonly locals: Json[]
}
export type Evaluate = (frame: Frame) => Json

export interface ExpressionProblem {
  code: 'bad_expression' | 'unknown_step_field' | 'misplaced_secret'
  message: string
  suggestion?: string
}

export interface Build {
  readonly code: string
  readonly problems: ExpressionProblem[]
  readonly mentions: StepMention[]
  readonly names: Set<string>
  /** Every path of plain members that starts at a top-level name: `['input', 'topic']`. */
  readonly paths: string[][]
  /** Those of them that `has()` asks for, joined by dots: they may well not be there. */
  readonly asked: Set<string>
  /** Every variable that a comprehension of the expression makes. */
  readonly variables: Set<string>
  /** The comprehension variables that can be seen here, innermost last; the place is the slot. */
  readonly locals: string[]
  slots: number
  /** Inside the argument of `has()`: what is not there is null. */
  lenient: boolean
}

export const newBuild = (code: string): Build => ({
  code,
  problems: [],
  mentions: [],
  names: new Set(),
  paths: [],
  asked: new Set(),
  variables: new Set(),
  locals: [],
  slots: 0,
  lenient: false,
})

/** Stands for a part that could not be compiled; the problem says why, and such a build never runs. */
export const NOTHING: Evaluate = () => null

export const problem = (build: Build, message: string, more: Partial<ExpressionProblem> = {}): Evaluate => {
  build.problems.push({ code: 'bad_expression', message, ...more })
  return NOTHING
}

/** How a part was written, for messages. */
export const written = (node: ASTNode): string => node.input.slice(node.start, node.end)
