// LocalCodeHost: the code of a workflow in this very process, for tests and simulations. It is a function of the test's
// own module, with what it closes over, so no thread can be handed it; and whoever tests a workflow wants breakpoints,
// coverage and spies in it. What a thread takes away, the code is refused here (guard-here.ts). What only a thread can
// do is not done: code that computes for ever hangs, and one memory is shared with the test.
import { relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { asCode, guarded } from './guard-here.ts'
import { type AdvanceCall, type Advanced, type CodeHost, threwAs } from './host.ts'
import { Instances } from './instances.ts'
import type { BundledWorkflow } from './protocol.ts'

const FRAMES = 10
const FRAME = /(?:^at (?:async )?(.*) \(|^at (?:async )?)(?:file:\/\/)?(\/.*|[A-Za-z]:[\\/].*):(\d+):(\d+)\)?$/
/** This package: `src` or `dist`. */
const PACKAGE = fileURLToPath(new URL('..', import.meta.url))
const isOwn = (file: string): boolean => !file.startsWith(PACKAGE) && !/[\\/]node_modules[\\/]/.test(file)

/** Places in the files of the user, innermost first: `workflows/orders.ts:12:9 (charge)`. */
const framesHere = (stack: string): string[] =>
  stack
    .split('\n')
    .flatMap((line) => {
      const [, name = '', file = '', row, column] = FRAME.exec(line.trim()) ?? []
      if (file === '' || !isOwn(file)) return []
      return [`${relative(process.cwd(), file)}:${row}:${column}${name === '' ? '' : ` (${name})`}`]
    })
    .slice(0, FRAMES)

export class LocalCodeHost implements Pick<CodeHost, 'advance' | 'drop'> {
  readonly #workflow: BundledWorkflow
  readonly #instances = new Instances(Number.POSITIVE_INFINITY, asCode)

  constructor(workflow: BundledWorkflow) {
    this.#workflow = workflow
  }

  async advance({ ns, run, startedAtMs, input, fromSeq, ended }: AdvanceCall): Promise<Advanced | 'lost'> {
    const start = fromSeq === 0 ? { ns, run, startedAtMs, input } : null
    const request = { type: 'advance' as const, key: `${ns}~${run}`, start, fromSeq, ended }
    const reply = await guarded(() => this.#instances.advance(this.#workflow, request))
    if (reply.type === 'lost') return 'lost'
    const { seq, asked, state } = reply
    return { seq, asked, state: state.status === 'threw' ? threwAs(state, framesHere(state.stack)) : state }
  }

  drop({ ns, run }: { ns: string; run: string }): void {
    this.#instances.drop(`${ns}~${run}`)
  }
}
