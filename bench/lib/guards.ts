// The guards that the chaos run can take out, as patches of the built files. A guard without which nothing goes wrong
// would be no guard, and a checker that stays silent without it no checker.
import type { ViolationKind } from '../checker.ts'
import type { Patch } from './copy.ts'

const CLAIM = 'packages/runtime/dist/lua/claim.3.lua'
const OBSERVE = 'services/orchestrator/dist/drive/observe.js'
const OUTCOME = 'packages/engine/dist/accept/outcome.js'
const APPEND = 'services/orchestrator/dist/store/lua/append.8.lua'

export interface Guard {
  says: string
  /** What must be found without it: anything else would be found for another reason. */
  shows: readonly ViolationKind[]
  patches: readonly Patch[]
}

export const GUARDS: Record<string, Guard> = {
  'out-check': {
    says: 'a claim is granted whatever `out` says',
    shows: ['tool_called_again', 'model_called_again'],
    patches: [
      {
        file: CLAIM,
        find: "if not field then return { 'refused', 'not_out' } end",
        replace: "field = field or '0|0|||||'",
      },
      {
        file: CLAIM,
        find: "if attempt ~= ARGV[2] or delivery ~= ARGV[3] then return { 'refused', 'superseded' } end",
        replace: 'attempt, delivery = ARGV[2], ARGV[3]',
      },
      { file: CLAIM, find: "if reported == '1' then return { 'refused', 'reported' } end", replace: '' },
      { file: CLAIM, find: "return { 'refused', 'held' }", replace: '' },
    ],
  },
  unsent: {
    // the look at tasks that nobody claimed finds a lost task too, after 5 s: both nets must go for anything to be lost
    says: 'the engine neither records nor resends what has not left, and misses no job',
    shows: ['stalled', 'not_ended'],
    patches: [
      {
        file: APPEND,
        find: "call('ZADD', KEYS[6], time[1] .. string.format('%03d', time[2] / 1000), run .. '|' .. ARGV[i])",
        replace: 'local _ = time',
      },
      {
        file: OBSERVE,
        find: "(await deps.publisher.findJob(queue, one.task)) !== 'waiting'",
        replace: 'false',
      },
    ],
  },
  fence: {
    // the ids of the journal's stream would refuse an old version too, so it takes the next number whatever was expected
    says: 'an append goes through whatever owner, version and tip say',
    shows: ['completed_twice', 'after_end', 'tool_called_again'],
    patches: [
      { file: APPEND, find: "if owner[1] ~= ARGV[1] or owner[2] ~= ARGV[2] then return 'deposed' end", replace: '' },
      {
        file: APPEND,
        find: "if head[1] ~= ARGV[3] or head[2] ~= ARGV[4] then return 'conflict' end",
        replace: 'ARGV[3] = head[1]',
      },
    ],
  },
  begun: {
    says: 'a `once` task of a worker taken for dead goes out again though it had begun',
    shows: ['tool_called_again'],
    patches: [{ file: OUTCOME, find: "step.effect === 'once' && lost.begun", replace: 'false' }],
  },
}
