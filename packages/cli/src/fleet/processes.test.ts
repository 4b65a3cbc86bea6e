// The table of a local fleet: every process has its own ports, folders and settings; a taken port is refused in words.
import { createServer } from 'node:http'
import { describe, expect, it } from 'vitest'
import { checkPort } from './fleet.ts'
import { type FleetPlan, fleetProcesses, portsNeeded } from './processes.ts'

const counts = { llmWorkers: 2, toolWorkers: 3 }
const plan: FleetPlan = {
  root: '/repo',
  dataDir: '/data',
  port: 7_400,
  redisUrl: 'redis://127.0.0.1:1',
  ...counts,
  drainMs: 3_000,
  scripted: { port: 9, latencyMs: 5, script: '/script.js' },
  workflows: undefined,
  tools: '/tools',
  egressAllow: 'localhost:1',
  publicUrl: undefined,
  ports: Array.from({ length: portsNeeded(counts) }, (_, i) => 100 + i),
}
const all = (one: FleetPlan) => Object.values(fleetProcesses(one)).flat()

describe('fleetProcesses', () => {
  it('gives every process a name, a log and a readiness address of its own', () => {
    const specs = all(plan)
    expect(specs.map((spec) => spec.name)).toEqual([
      'scripted-model',
      'orchestrator',
      'escalation',
      ...['llm-worker-1', 'llm-worker-2', 'tool-worker-1', 'tool-worker-2', 'tool-worker-3'],
    ])
    for (const field of ['logFile', 'readyUrl'] as const)
      expect(new Set(specs.map((spec) => spec[field])).size).toBe(specs.length)
    expect(new Set(specs.flatMap((spec) => spec.env.STEPFLEET_SPOOL_DIR ?? [])).size).toBe(specs.length - 1)
  })

  it('points the orchestrator at the desk and the llm-workers at the scripted model', () => {
    const { orchestrator, escalation, workers } = fleetProcesses(plan)
    expect(orchestrator[0]?.env.ESCALATION_URL).toBe(`http://127.0.0.1:${escalation[0]?.env.STEPFLEET_PORT}`)
    const models = workers.flatMap((spec) => (spec.name.startsWith('llm') ? [spec.env.ANTHROPIC_BASE_URL] : []))
    expect(models).toEqual(['http://127.0.0.1:9', 'http://127.0.0.1:9'])
  })

  it('leaves the provider alone when a real one is used', () => {
    const specs = all({ ...plan, scripted: null })
    expect(specs.some((spec) => spec.name === 'scripted-model')).toBe(false)
    expect(specs.filter((spec) => 'ANTHROPIC_BASE_URL' in spec.env || 'ANTHROPIC_API_KEY' in spec.env)).toEqual([])
  })
})

describe('checkPort', () => {
  it('tells a Stepfleet from another program, and says what to do', async () => {
    let body = 'hello'
    const server = createServer((_, response) => response.end(body))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const address = server.address()
    const port = typeof address === 'object' && address ? address.port : 0
    await expect(checkPort(port)).rejects.toThrow(
      `port ${port} is taken by another program: stop it, or choose another port with --port ${port + 1}`,
    )
    body = '{"workers":[],"engines":[]}'
    await expect(checkPort(port)).rejects.toThrow(/a Stepfleet already answers/)
    await new Promise((resolve) => server.close(resolve))
    await expect(checkPort(port)).resolves.toBeUndefined()
  })
})
