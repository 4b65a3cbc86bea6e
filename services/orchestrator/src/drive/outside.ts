// outside: what a run has to do with the rest of the fleet: what it asks before it can decide, and what leaves it that
// is no job of a queue. Everything here may happen twice.
import type { Answer, Ask, Message } from '@stepfleet/engine'
import type { Budgets } from './budgets.ts'
import { type ChildDeps, startChild, tell } from './children.ts'

/** Who asks, or whom something leaves. */
export interface From {
  ns: string
  run: string
  /** Sequence of the last event, or of the event that the message is about. */
  seq: number
}
export interface Asking extends From {
  /** The engine's time: what is to be asked again is so from then on. */
  nowMs: number
}
export type Leaving = Exclude<Message, { kind: 'task' | 'notice' }>

export interface Limits {
  answer(from: Asking, ask: Exclude<Ask, { kind: 'budget' }>): Promise<Answer>
  leave(from: From, message: Extract<Leaving, { kind: 'release' | 'cache' }>): Promise<void>
}

export interface Outside {
  answer(from: Asking, ask: Ask): Promise<Answer>
  leave(from: From, message: Leaving): Promise<void>
}

export const createOutside = (children: ChildDeps, limits: Limits, budgets: Budgets): Outside => ({
  answer: (from, ask) => (ask.kind === 'budget' ? budgets.answer(from, ask) : limits.answer(from, ask)),
  leave: (from, message) => {
    switch (message.kind) {
      case 'start':
        return startChild(children, message.child)
      case 'command':
        return tell(children, from.run, message.command)
      case 'release':
      case 'cache':
        return limits.leave(from, message)
      case 'settle':
        return budgets.leave(from, message)
    }
  },
})
