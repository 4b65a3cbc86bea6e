// Every directive is read, and what cannot be read is refused.
import { describe, expect, it } from 'vitest'
import { DirectiveError, withoutDirectives } from './bracket.ts'
import { DIRECTIVES, readDirectives } from './directives.ts'

/** A value for each directive that needs one; the table test below fails when a new one is missing here. */
const SAMPLES: Record<keyof typeof DIRECTIVES, [string, unknown]> = {
  turns: ['turns=46', 46],
  tool: ['tool=lookup', 'lookup'],
  parallel: ['parallel=3', 3],
  args: ['args={"q": "a b"}', { q: 'a b' }],
  say: ['say=hello there, you', 'hello there, you'],
  latency: ['latency=50', 50],
  forever: ['forever', true],
  'first-token': ['first-token=300', 300],
  trickle: ['trickle=20000', 20_000],
  error: ['error=model_not_found', 'model_not_found'],
  drop: ['drop', true],
  at: ['at=0', 0],
  empty: ['empty', true],
  bytes: ['bytes=2000000', 2_000_000],
  'chunk-ms': ['chunk-ms=5', 5],
  fail: ['fail=529', 529],
  in: ['in=stream', 'stream'],
  'retry-after': ['retry-after=171', 171],
  message: ['message=prompt is too long', 'prompt is too long'],
  cut: ['cut=reset', 'reset'],
  stop: ['stop=max_tokens', 'max_tokens'],
  refusal: ['refusal', true],
  malformed: ['malformed=schema', 'schema'],
  hang: ['hang=stream', 'stream'],
  times: ['times=2', 2],
  turn: ['turn=17', 17],
}

describe('directives', () => {
  it.each(Object.keys(DIRECTIVES))('%s is read', (name) => {
    const [, sample] = Object.entries(SAMPLES).find(([key]) => key === name) ?? []
    const [directive] = readDirectives(`Do it. [[scripted: ${sample?.[0]}]]`)
    expect(directive).toMatchObject({ [name]: sample?.[1] })
  })

  it('reads several in one bracket and several brackets in order', () => {
    expect(readDirectives('[[scripted: fail=429 retry-after=1 times=1]] x [[scripted: say=done]]')).toEqual([
      { text: 'fail=429 retry-after=1 times=1', fail: 429, 'retry-after': 1, times: 1 },
      { text: 'say=done', say: 'done' },
    ])
  })

  it('has defaults for flags that may carry a value', () => {
    expect(readDirectives('[[scripted: malformed]][[scripted: hang]]')).toMatchObject([
      { malformed: 'json' },
      { hang: 'headers' },
    ])
  })

  it.each(['fial=529', 'turns=many', 'stop=whenever', 'fail=200', 'args=[1]', 'refusal=yes', '=3'])(
    'refuses %s',
    (source) => {
      expect(() => readDirectives(`[[scripted: ${source}]]`)).toThrow(DirectiveError)
    },
  )

  it('are not part of the prompt', () => {
    expect(withoutDirectives('Write [[scripted: say=x]] about tea')).toBe('Write about tea')
  })
})
