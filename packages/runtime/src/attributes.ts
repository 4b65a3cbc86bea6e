// Span attributes as typed functions: a wrong name cannot compile. gen_ai.* and messaging.* follow OpenTelemetry's
// semantic conventions, which are still in development: this file is the only one that spells them.
import type { Attributes } from '@opentelemetry/api'
import type { Failure, Usage } from '@stepfleet/contracts'

export const attributes = {
  run: (ns: string, run: string): Attributes => ({ 'stepfleet.namespace': ns, 'stepfleet.run.id': run }),
  workflow: (name: string): Attributes => ({ 'stepfleet.workflow.name': name }),
  step: (path: string): Attributes => ({ 'stepfleet.step.path': path }),
  attempt: (attempt: number): Attributes => ({ 'stepfleet.attempt': attempt }),
  delivery: (delivery: number): Attributes => ({ 'stepfleet.delivery': delivery }),
  task: (id: string): Attributes => ({ 'stepfleet.task.id': id, 'messaging.message.id': id }),
  effectKey: (key: string): Attributes => ({ 'stepfleet.effect_key': key }),
  worker: (id: string): Attributes => ({ 'stepfleet.worker.id': id }),
  engine: (id: string): Attributes => ({ 'stepfleet.engine.id': id }),
  shard: (shard: number): Attributes => ({ 'stepfleet.shard': shard }),
  command: (type: string, id: string): Attributes => ({ 'stepfleet.command.type': type, 'stepfleet.command.id': id }),
  queue: (name: string): Attributes => ({ 'messaging.system': 'bullmq', 'messaging.destination.name': name }),
  escalation: (id: string): Attributes => ({ 'stepfleet.escalation.id': id }),
  tool: (name: string): Attributes => ({ 'gen_ai.tool.name': name }),
  /** `<provider>/<model>` */
  model: (name: string): Attributes => {
    const cut = name.indexOf('/')
    return { 'gen_ai.provider.name': name.slice(0, cut), 'gen_ai.request.model': name.slice(cut + 1) }
  },
  usage: (usage: Usage): Attributes => ({
    'gen_ai.usage.input_tokens': usage.inputTokens,
    'gen_ai.usage.output_tokens': usage.outputTokens,
    'gen_ai.usage.cache_read.input_tokens': usage.cacheReadTokens,
    'gen_ai.usage.cache_creation.input_tokens': usage.cacheWriteTokens,
    ...(usage.microUsd === null ? {} : { 'stepfleet.cost.micro_usd': usage.microUsd }),
  }),
  dependency: (name: string): Attributes => ({ 'stepfleet.dependency': name }),
  failure: (failure: Failure): Attributes => ({
    'error.type': failure.code,
    'stepfleet.failure.class': failure.class,
    ...(failure.http === undefined ? {} : { 'http.response.status_code': failure.http }),
  }),
} as const
