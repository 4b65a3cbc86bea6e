// judge: the commands of one run, in order, through the engine. What comes out is one append and the messages that
// leave after it. The only awaits are for payloads and for what a wake must look at.
import { randomUUID } from 'node:crypto'
import type { CodeHost } from '@stepfleet/code-workflows'
import type { Actor, Command, Event, ToolManifest, Verdict } from '@stepfleet/contracts'
import {
  accept,
  condemn,
  createTurn,
  decide,
  type Job,
  type Message,
  messagesOf,
  type Spending,
  type Turn,
  unusedAnswers,
  wakeAt,
} from '@stepfleet/engine'
import type { Publisher } from '@stepfleet/runtime'
import type { Append, MailboxEntry, Store } from '../store/port.ts'
import { answerCode } from './code.ts'
import { observe } from './observe.ts'
import type { Asking, Leaving, Outside } from './outside.ts'
import type { LoadedRun } from './runs.ts'

export interface JudgeDeps {
  store: Store
  publisher: Pick<Publisher, 'findJob'>
  engine: string
  outside: Outside
  /** Where the code of workflows runs. */
  code: CodeHost
  /** Undefined: by the prices of this release, and no budget of namespaces. */
  spending?: Spending | undefined
  tools(): ReadonlyMap<string, ToolManifest>
}

/** A mailbox entry on its way through the engine. */
export interface Entry extends MailboxEntry {
  /** It stopped its engine three times: it is not judged again, the run shows it instead. */
  condemned?: boolean
}

/** An append ready to be sent, and what leaves once it is there. */
export interface Judged {
  run: LoadedRun
  append: Append
  outgoing: { seq: number; message: Message }[]
  entries: readonly Entry[]
}

const newTip = (): string => randomUUID()

const turnOf = (deps: JudgeDeps, run: LoadedRun, command: Command, atMs: number, actor: Actor): Turn =>
  createTurn({
    plan: run.plan,
    state: run.state,
    nowMs: Math.max(atMs, run.state.lastAtMs),
    actor,
    command: command.id,
    values: run.values,
    tools: deps.tools(),
    ...(deps.spending ? { spending: deps.spending } : {}),
  })

/** Asks the fleet what the engine asks, all at once: who asks first is served first. */
const answerAll = async (deps: JudgeDeps, run: LoadedRun, turn: Turn): Promise<void> => {
  const asks = [...turn.asks]
  turn.asks.clear()
  const from: Asking = { ns: run.ns, run: run.run, seq: run.state.version, nowMs: turn.nowMs }
  const answers = await Promise.all(asks.map(([, ask]) => deps.outside.answer(from, ask)))
  for (const [at, [text]] of asks.entries()) {
    const answer = answers[at]
    if (answer) turn.answers.set(text, answer)
  }
}

/** Decides until nothing follows, with the payloads and answers that are asked for in between. */
const decideWhole = async (deps: JudgeDeps, run: LoadedRun, turn: Turn): Promise<void> => {
  decide(turn)
  while (turn.missing.size > 0 || turn.asks.size > 0 || turn.code.question) {
    await run.values.fetch(deps.store, run.ns, run.run, turn.missing)
    turn.missing.clear()
    if (turn.asks.size > 0) await answerAll(deps, run, turn)
    if (turn.code.question) await answerCode(deps, run, turn)
    decide(turn)
  }
  if (run.plan.code && run.state.endedAtMs !== null) {
    deps.code.drop({ ns: run.ns, run: run.run, hash: run.plan.code.hash })
  }
}

export const isJob = (message: Message): message is Job => message.kind === 'task' || message.kind === 'notice'

/** Jobs of queues, and what goes elsewhere. */
export const sorted = (messages: readonly Message[]): { jobs: Job[]; others: Leaving[] } => {
  const jobs: Job[] = []
  const others: Leaving[] = []
  for (const message of messages) {
    if (isJob(message)) jobs.push(message)
    else others.push(message)
  }
  return { jobs, others }
}

const messagesWhole = async (deps: JudgeDeps, run: LoadedRun, turn: Turn): Promise<Judged['outgoing']> => {
  const outgoing: Judged['outgoing'] = []
  for (const event of turn.events) {
    let messages = messagesOf(turn, event)
    while (turn.missing.size > 0) {
      await run.values.fetch(deps.store, run.ns, run.run, turn.missing)
      turn.missing.clear()
      messages = messagesOf(turn, event)
    }
    for (const message of messages) outgoing.push({ seq: event.seq, message })
  }
  return outgoing
}

const engineActor = (engine: string): Actor => ({ kind: 'engine', id: engine })

interface OneJudged {
  verdict: Verdict
  events: readonly Event[]
  outgoing: Judged['outgoing']
}

const condemnOne = async (deps: JudgeDeps, run: LoadedRun, { command, atMs }: Entry): Promise<OneJudged> => {
  const turn = turnOf(deps, run, command, atMs, engineActor(deps.engine))
  condemn(turn, command)
  const verdict: Verdict = { status: 'refused', code: 'internal_error', message: 'the command stopped its engine' }
  return { verdict, events: turn.events, outgoing: await messagesWhole(deps, run, turn) }
}

/** One command: judged, decided on, and its messages made while the state still is what they were made of. */
const judgeOne = async (deps: JudgeDeps, run: LoadedRun, entry: Entry): Promise<OneJudged> => {
  const { command, atMs } = entry
  const turn = turnOf(deps, run, command, atMs, command.by)
  const observed = command.type === 'wake' ? await observe(deps, run, turn.nowMs) : undefined
  const verdict = accept(turn, command, observed)
  const following: Turn = { ...turn, actor: engineActor(deps.engine) }
  await decideWhole(deps, run, following)
  const outgoing = await messagesWhole(deps, run, following)
  // it leaves behind the last fact of the turn; should it be lost, the run that ended is found by who waits
  for (const message of unusedAnswers(following)) outgoing.push({ seq: run.state.version, message })
  return { verdict, events: turn.events, outgoing }
}

/** The messages of a fact that is in the journal but may not have left. */
export const remake = async (deps: JudgeDeps, run: LoadedRun, event: Event): Promise<Message[]> => {
  const command: Command = { type: 'wake', id: event.command, ns: run.ns, run: run.run, by: engineActor(deps.engine) }
  const turn = turnOf(deps, run, command, event.atMs, engineActor(deps.engine))
  turn.events.push(event)
  const outgoing = await messagesWhole(deps, run, turn)
  await run.values.write(deps.store, run.ns, run.run)
  return outgoing.map(({ message }) => message)
}

const outOf = (run: LoadedRun): Append['out'] => {
  const set: { path: string; attempt: number; delivery: number }[] = []
  const remove: string[] = []
  for (const [path, entry] of run.state.outChanges) {
    if (entry) set.push({ path, ...entry })
    else remove.push(path)
  }
  run.state.outChanges.clear()
  return { set, remove }
}

/**
 * Judges a batch of one run's commands. The cached state has moved on when this returns: unless the append
 * goes through, the run must be dropped from the cache.
 */
export const judge = async (
  deps: JudgeDeps,
  run: LoadedRun,
  entries: readonly Entry[],
  epoch: number,
): Promise<Judged> => {
  const { state } = run
  const before = { version: state.version, status: state.status }
  const events: Event[] = []
  const outgoing: Judged['outgoing'] = []
  const receipts: Append['receipts'][number][] = []
  for (const entry of entries) {
    const { command } = entry
    // the receipt of a condemned command was written when it was buried
    const asks = command.receipt === true && !entry.condemned
    const known = asks ? await deps.store.receipt(run.ns, run.run, command.id) : null
    if (known) continue
    const judged = await (entry.condemned ? condemnOne : judgeOne)(deps, run, entry)
    for (const event of judged.events) events.push(event)
    for (const message of judged.outgoing) outgoing.push(message)
    if (asks) receipts.push({ command: command.id, verdict: judged.verdict })
  }
  await run.values.write(deps.store, run.ns, run.run)
  run.values.trim()
  const wake = wakeAt(state)
  // a wake that was served is gone from `due`, whatever was written there before
  const known = entries.some(({ command }) => command.type === 'wake') ? null : run.wakeAtMs
  const append: Append = {
    ns: run.ns,
    run: run.run,
    epoch,
    engine: deps.engine,
    expect: { version: before.version, tip: run.tip },
    tip: events.length > 0 ? newTip() : run.tip,
    events,
    status: { from: before.status, to: state.status },
    endedAtMs: state.endedAtMs,
    out: outOf(run),
    wakeAtMs: wake === known ? undefined : wake,
    unsent: [...new Set(outgoing.filter(({ seq }) => seq > before.version).map(({ seq }) => String(seq)))],
    ack: entries.map((entry) => entry.id),
    receipts,
  }
  run.tip = append.tip
  run.wakeAtMs = wake
  return { run, append, outgoing, entries }
}
