// Every tool use gets exactly one result, and what is kept is never of another life of the run.
import { type EventBody, failure, type Json, type LlmInput, type TurnOutput } from '@stepfleet/contracts'
import { TaskFailure } from '@stepfleet/runtime'
import { describe, expect, it } from 'vitest'
import { createConversations } from './conversation.ts'
import { eventsOf, llmInput, type MemoryRecord, memoryRecord } from './task.fixture.ts'

const ROOM = 1_000_000

/** A turn that asks for tools a, b, … */
const asks = (turn: number, ...ids: string[]): EventBody => {
  const value: TurnOutput & { [key: string]: Json } = {
    content: ids.map((id) => ({ type: 'tool_use', id, name: 'lookup', input: {} })),
    text: '',
    toolUses: ids.map((id) => ({ id, name: 'lookup', input: {} })),
  }
  return { type: 'step.completed', path: `work/turn-${turn}/llm`, output: { value } }
}
const done = (path: string, value: Json): EventBody => ({ type: 'step.completed', path, output: { value } })

const inputFor = (history: number[], path = 'work'): LlmInput =>
  llmInput('Go', { agent: { path, turn: 2, tools: [], history } })

const source = (record: MemoryRecord) => ({ ns: 'default', run: 'r1', record })

describe('pairing', () => {
  const TOOL = 'work/turn-1/tool-0'
  it.each<[string, EventBody[], { isError: boolean; content: string }]>([
    ['completed with text', [done(TOOL, 'rain')], { isError: false, content: 'rain' }],
    ['completed with a value', [done(TOOL, { mm: 3 })], { isError: false, content: '{"mm":3}' }],
    ['completed with null', [done(TOOL, null)], { isError: false, content: 'null' }],
    [
      'failed',
      [{ type: 'step.failed', path: TOOL, failure: failure('tool_failed', 'no route') }],
      { isError: true, content: 'tool_failed: no route' },
    ],
    [
      'skipped',
      [{ type: 'step.skipped', path: TOOL, because: 'operator', by: 'eva' }],
      { isError: true, content: 'skipped by operator' },
    ],
    [
      'skipped with a reason',
      [{ type: 'step.skipped', path: TOOL, because: 'operator', by: 'eva', reason: 'not today' }],
      { isError: true, content: 'skipped by operator: not today' },
    ],
    [
      'overridden',
      [{ type: 'step.overridden', path: TOOL, output: { value: { mm: 4 } }, by: 'eva' }],
      { isError: false, content: '{"mm":4}' },
    ],
    ['not recorded', [], { isError: true, content: 'unknown: no result of this tool was recorded' }],
    [
      'of another tool only',
      [done('work/turn-1/tool-7', 'x')],
      { isError: true, content: 'unknown: no result of this tool was recorded' },
    ],
  ])('a tool that is %s', async (_name, bodies, expected) => {
    const events = eventsOf([asks(1, 'a'), ...bodies])
    const messages = await createConversations(ROOM).messages(
      source(memoryRecord(events)),
      inputFor(events.map(({ seq }) => seq)),
    )
    expect(messages).toEqual([
      { role: 'user', text: 'Go' },
      {
        role: 'answer',
        content: [{ type: 'tool_use', id: 'a', name: 'lookup', input: {} }],
        text: '',
        toolUses: [{ id: 'a', name: 'lookup', input: {} }],
      },
      { role: 'results', results: [{ id: 'a', ...expected }] },
    ])
  })

  it('gives each of several tools its own result, in the order asked for, whichever ended first', async () => {
    const events = eventsOf([
      asks(1, 'a', 'b', 'c'),
      done('work/turn-1/tool-2', 'third'),
      { type: 'step.failed', path: 'work/turn-1/tool-1', failure: failure('timeout', 'slow') },
      done('work/turn-1/tool-0', 'first'),
      asks(2, 'd'),
      done('work/turn-2/tool-0', 'fourth'),
    ])
    const messages = await createConversations(ROOM).messages(
      source(memoryRecord(events)),
      inputFor([1, 4, 3, 2, 5, 6]),
    )
    expect(messages.filter(({ role }) => role === 'results')).toEqual([
      {
        role: 'results',
        results: [
          { id: 'a', isError: false, content: 'first' },
          { id: 'b', isError: true, content: 'timeout: slow' },
          { id: 'c', isError: false, content: 'third' },
        ],
      },
      { role: 'results', results: [{ id: 'd', isError: false, content: 'fourth' }] },
    ])
  })

  it('takes the agent of an item for itself, not for another', async () => {
    const events = eventsOf([asks(1, 'a'), { ...asks(1, 'b'), path: 'work[3]/turn-1/llm' } as EventBody])
    const messages = await createConversations(ROOM).messages(source(memoryRecord(events)), inputFor([1, 2], 'work[3]'))
    expect(messages.slice(1)).toMatchObject([
      { role: 'answer', content: [{ id: 'b' }] },
      { role: 'results', results: [{ id: 'b' }] },
    ])
  })

  it('takes a model call that was overridden with any value for what the model said', async () => {
    const events = eventsOf([
      { type: 'step.overridden', path: 'work/turn-1/llm', output: { value: { x: 1 } }, by: 'eva' },
    ])
    const messages = await createConversations(ROOM).messages(source(memoryRecord(events)), inputFor([1]))
    expect(messages.slice(1)).toEqual([
      { role: 'answer', content: [{ type: 'text', text: '{"x":1}' }], text: '{"x":1}', toolUses: [] },
    ])
  })

  it('reads a large output from its blob', async () => {
    const sha = 'a'.repeat(64)
    const events = eventsOf([
      asks(1, 'a'),
      { type: 'step.completed', path: 'work/turn-1/tool-0', output: { blob: sha, bytes: 70_000 } },
    ])
    const messages = await createConversations(ROOM).messages(
      source(memoryRecord(events, { [sha]: 'large' })),
      inputFor([1, 2]),
    )
    expect(messages.at(-1)).toEqual({ role: 'results', results: [{ id: 'a', isError: false, content: 'large' }] })
  })
})

describe('what is kept', () => {
  const threeTurns = (startMs?: number) =>
    eventsOf(
      [1, 2, 3].flatMap((turn) => [asks(turn, `t${turn}`), done(`work/turn-${turn}/tool-0`, `from ${startMs ?? 0}`)]),
      startMs,
    )

  it('a turn reads the first entry and what is new', async () => {
    const conversations = createConversations(ROOM)
    const record = memoryRecord(threeTurns())
    await conversations.messages(source(record), inputFor([1, 2]))
    await conversations.messages(source(record), inputFor([1, 2, 3, 4]))
    const last = await conversations.messages(source(record), inputFor([1, 2, 3, 4, 5, 6]))
    expect(record.asked).toEqual([
      [1, 2],
      [1, 3, 4],
      [1, 5, 6],
    ])
    expect(last).toEqual(await createConversations(0).messages(source(record), inputFor([1, 2, 3, 4, 5, 6])))
  })

  it('another life of the run under the same id is told apart', async () => {
    const conversations = createConversations(ROOM)
    await conversations.messages(source(memoryRecord(threeTurns())), inputFor([1, 2, 3, 4]))
    const anew = await conversations.messages(source(memoryRecord(threeTurns(900_000))), inputFor([1, 2, 3, 4]))
    expect(JSON.stringify(anew)).not.toContain('from 0')
    expect(JSON.stringify(anew).match(/from 900000/g)).toHaveLength(2)
  })

  it('stays within its room, the least recently used leave first', async () => {
    const one = createConversations(ROOM)
    await one.messages(source(memoryRecord(threeTurns())), inputFor([1, 2]))
    const conversations = createConversations(one.size() * 2.5)
    const record = memoryRecord(threeTurns())
    const read = (run: string) => conversations.messages({ ns: 'default', run, record }, inputFor([1, 2]))
    for (const run of ['a', 'b', 'a', 'c', 'a', 'b']) await read(run)
    // a stayed while b left for c, so b is read whole again
    expect(record.asked).toEqual([[1, 2], [1, 2], [1], [1, 2], [1], [1, 2]])
    expect(conversations.size()).toBeLessThanOrEqual(one.size() * 2.5)
  })

  it('is nothing for a conversation larger than all of it', async () => {
    const conversations = createConversations(50)
    const messages = await conversations.messages(source(memoryRecord(threeTurns())), inputFor([1, 2]))
    expect(messages).toHaveLength(3)
    expect(conversations.size()).toBe(0)
  })
})

it('a record that cannot be read is worth another attempt', async () => {
  const failed = createConversations(ROOM).messages(source(memoryRecord([])), inputFor([1]))
  await expect(failed).rejects.toThrow(TaskFailure)
  await expect(failed).rejects.toMatchObject({ failure: { code: 'connection_failed', class: 'transient' } })
})
