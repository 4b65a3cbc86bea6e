// The scripted model as a process: `node main.js --ledger FILE`, and the options below.
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { z } from 'zod'
import type { Script } from './answering/script.ts'
import { type Rule, ruleSchema } from './rules.ts'
import { startScriptedModel } from './server.ts'

const USAGE = 'usage: --ledger FILE [--port N] [--host ADDRESS] [--script FILE] [--rules FILE] [--latency-ms N]'

const isScript = (value: unknown): value is Script => typeof value === 'function'

/** The export `script` of an ES module. */
const loadScript = async (file: string): Promise<Script> => {
  const loaded: { script?: unknown } = await import(pathToFileURL(resolve(file)).href)
  if (!isScript(loaded.script)) throw new Error(`${file} does not export a function named script`)
  return loaded.script
}

/** A JSON list of rules, as `POST /_script/rules` takes it. */
const loadRules = (file: string): Rule[] => z.array(ruleSchema).parse(JSON.parse(readFileSync(file, 'utf8')))

const wholeNumber = (name: string, text: string): number => {
  if (!/^\d+$/.test(text)) throw new Error(`--${name} takes a whole number; ${USAGE}`)
  return Number(text)
}

const run = async (): Promise<void> => {
  const { values } = parseArgs({
    options: {
      port: { type: 'string', default: '0' },
      host: { type: 'string', default: '127.0.0.1' },
      ledger: { type: 'string' },
      script: { type: 'string' },
      rules: { type: 'string' },
      'latency-ms': { type: 'string', default: '0' },
    },
  })
  if (values.ledger === undefined) throw new Error(USAGE)
  const model = await startScriptedModel({
    port: wholeNumber('port', values.port),
    host: values.host,
    ledger: values.ledger,
    latencyMs: wholeNumber('latency-ms', values['latency-ms']),
    ...(values.script === undefined ? {} : { script: await loadScript(values.script) }),
    ...(values.rules === undefined ? {} : { rules: loadRules(values.rules) }),
  })
  process.stdout.write(
    `${JSON.stringify({ ready: true, url: model.url, port: model.port, ledger: model.ledger, pid: process.pid })}\n`,
  )
  const stop = (): void => {
    void model.stop().then(() => process.exit(0))
  }
  process.once('SIGTERM', stop)
  process.once('SIGINT', stop)
}

run().catch((error: unknown) => {
  process.stderr.write(`scripted-model: ${error instanceof Error ? error.message : String(error)}\n`)
  process.exit(1)
})
