// The example of the workflow format, cut to what this release builds. For tests.
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: expressions are written so
import type { Definition } from '@stepfleet/contracts'

/** A fresh copy of the example workflow. */
export const exampleDefinition = (): Definition => ({
  name: 'research-report',
  input: {
    type: 'object',
    required: ['topic', 'to'],
    properties: { topic: { type: 'string', minLength: 1 }, to: { type: 'string', format: 'email' } },
  },
  defaults: { retry: { attempts: 5, initial: '1s', factor: 2, max: '60s' } },
  steps: {
    queries: {
      llm: {
        model: 'anthropic/claude-sonnet-5-5',
        system: 'You plan web research.',
        prompt: 'Five search queries about ${{ input.topic }}',
        output: { type: 'array', items: { type: 'string' }, minItems: 1 },
      },
    },
    search: {
      each: { in: '${{ steps.queries.output }}', concurrency: 5, join: 'settled' },
      tool: 'http',
      with: { url: 'https://search.example/q', query: { q: '${{ item }}' } },
      effect: 'read',
      timeout: '10s',
    },
    report: {
      llm: {
        model: 'anthropic/claude-sonnet-5-5',
        prompt: 'Write the report from ${{ steps.search.output }}',
        output: {
          type: 'object',
          required: ['text', 'confidence'],
          properties: { text: { type: 'string' }, confidence: { type: 'number' } },
        },
      },
    },
    publish: { approval: { show: '${{ steps.report.output }}', assignee: 'editors', expires: '24h' } },
    mail: {
      if: '${{ steps.publish.output.approved }}',
      tool: 'mail',
      with: { to: '${{ input.to }}', body: '${{ steps.report.output.text }}', token: '${{ secrets.MAIL }}' },
      effect: 'once',
      on_failure: 'escalate',
    },
  },
  output: { report: '${{ steps.report.output }}' },
})
