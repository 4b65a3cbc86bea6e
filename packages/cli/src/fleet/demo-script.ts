// What the scripted model says in the demo: an agent that looks eleven things up before it answers.
// The scripted model loads this file (`--script`); the shapes are the part of its own that is used here.
interface Request {
  prompt: string
  /** Assistant messages so far that asked for tools. */
  toolTurns: number
  tools: readonly { name: string }[]
}
interface ToolUse {
  type: 'message'
  text: string
  toolUses: { name: string; input: { query: string } }[]
}

const ASPECTS = [
  'shade and cooling',
  'how much it lowers temperatures',
  'water and evaporation',
  'which districts are hottest',
  'costs and upkeep',
  'soil and roots',
  'buildings and roofs',
  'health of residents',
  'what it cannot do',
  'measurements in practice',
  'open questions',
]

const subjectOf = (prompt: string): string =>
  (/question: (.+)/.exec(prompt)?.[1] ?? 'the question').slice(0, 120).trim()

/** Null leaves the call to the scripted model's own behaviour: an answer in words, or one that fits the schema. */
export const script = ({ prompt, toolTurns, tools }: Request): ToolUse | null => {
  const aspect = ASPECTS[toolTurns]
  if (aspect === undefined || !tools.some((tool) => tool.name === 'lookup')) return null
  const query = `${subjectOf(prompt)} ${aspect}`
  return { type: 'message', text: `Next I look up: ${aspect}.`, toolUses: [{ name: 'lookup', input: { query } }] }
}
