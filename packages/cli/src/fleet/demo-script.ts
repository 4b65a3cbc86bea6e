// What the scripted model says in the demo: an agent that looks eleven things up before it answers, and a report
// made of the passages it is given. The scripted model loads this file (`--script`); the shapes are the part of its
// own that is used here.
interface Request {
  /** All user text. */
  prompt: string
  /** Assistant messages so far that asked for tools. */
  toolTurns: number
  tools: readonly { name: string }[]
  /** Text of the newest tool results. */
  toolResults: readonly string[]
}
interface Message {
  type: 'message'
  text: string
  toolUses?: { name: string; input: { query: string } }[]
}

const ASPECTS = [
  'overview',
  'causes',
  'figures',
  'measurements',
  'practice',
  'costs',
  'water',
  'buildings',
  'risks and limits',
  'history',
  'open questions',
]

const questionOf = (prompt: string): string =>
  (/question: (.+)/.exec(prompt)?.[1] ?? 'the question').slice(0, 200).trim()

/** First sentences of the passages in a text that holds the lookup tool's JSON, each once. */
const sentencesOf = (text: string): string[] => {
  const passages = [...text.matchAll(/"text":\s*"((?:[^"\\]|\\.)+)"/g)].map((match): string =>
    JSON.parse(`"${match[1]}"`),
  )
  return [...new Set(passages.map((passage) => /^.*?[.!?](?=\s|$)/.exec(passage)?.[0] ?? passage))]
}

const claimsOf = (prompt: string, results: readonly string[]): string[] => {
  const spare = ASPECTS.slice(0, 3).map(
    (aspect) => `The library has something on this: ${questionOf(prompt)} (${aspect})`,
  )
  return [...new Set([...sentencesOf(results.join('\n')), ...spare])].slice(0, 4)
}

const findings = ({ prompt, toolResults }: Request): Message => ({
  type: 'message',
  text: JSON.stringify({
    summary: `The library was asked about ${ASPECTS.length} aspects of: ${questionOf(prompt)}`,
    claims: claimsOf(prompt, toolResults),
  }),
})

const report = ({ prompt }: Request): Message => ({
  type: 'message',
  text: JSON.stringify({
    title: questionOf(prompt),
    text: sentencesOf(prompt).join(' ') || 'The library has nothing on it.',
    confidence: 0.8,
  }),
})

/** Null leaves the call to the scripted model's own behaviour. */
export const script = (request: Request): Message | null => {
  if (request.prompt.startsWith('Write a report that answers this question:')) return report(request)
  if (!request.tools.some((tool) => tool.name === 'lookup')) return null
  const aspect = ASPECTS[request.toolTurns]
  if (aspect === undefined) return findings(request)
  const query = `${questionOf(request.prompt)} ${aspect}`
  return { type: 'message', text: `Next I look up: ${aspect}.`, toolUses: [{ name: 'lookup', input: { query } }] }
}
