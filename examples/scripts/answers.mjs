// What the scripted model says in the examples, so that they run without a key and always end the same. The scripted
// model loads this file: `--script examples/scripts/answers.mjs`.

/** @param {unknown} value */
const json = (value) => ({ type: 'message', text: JSON.stringify(value) })
/** @param {string} text */
const text = (text) => ({ type: 'message', text })
/** @param {string} name @param {Record<string, unknown>} input */
const uses = (name, input) => ({ type: 'message', text: '', toolUses: [{ name, input }] })

/** The prompt up to its first colon, or the words of it: who asks. @type {[RegExp, (request: any, found: RegExpExecArray) => unknown][]} */
const ANSWERS = [
  [
    /^Outline a product text about (.+)/,
    (_, [, product]) => json({ points: [`what ${product} is`, 'what it does', 'why it lasts'] }),
  ],
  [/^Write the product text with these points: (.+)/s, (_, [, points]) => text(`A text on ${points}.`)],
  [/^Translate into (\w+): (.+)/s, (_, [, language, what]) => text(`${language}: ${what}`)],
  [
    /^Which kind of message is this\? (.+)/s,
    (_, [, message]) =>
      json({
        kind: /charged|invoice/.test(message) ? 'billing' : /broken|error/.test(message) ? 'technical' : 'other',
      }),
  ],
  [/^Answer: (.+)/s, (_, [, message]) => text(`About "${message}": the invoice shows it.`)],
  [/^Write a section on the (.+) of (.+)/, (_, [, aspect, topic]) => text(`Section on the ${aspect} of ${topic}.`)],
  [/^Judge the (\w+) of this text/, (_, [, criterion]) => json({ good: criterion !== 'fairness' })],
  [
    /^Split into parts that can be answered alone/,
    () => json(['trees', 'roofs', 'water'].map((title) => ({ title, question: `What do ${title} do?` }))),
  ],
  [/^Answer What do (\w+) do\?/, (_, [, what]) => text(`They cool: ${what}.`)],
  [/^Join these answers into one to (.+?): /s, (_, [, question]) => text(`All in all on ${question}`)],
  [
    /^Write (.+?)\nThe last try and what was said of it: (.+)/s,
    (_, [, task, last]) => text(`${task}, try ${(/try (\d+)/.exec(last)?.[1] ?? 0) * 1 + 1}`),
  ],
  [
    /^Judge this from 0 to 10.*try (\d+)/s,
    (_, [, tried]) => json({ score: 5 + Number(tried), remarks: `after try ${tried}` }),
  ],
  [/^Four search queries about (.+)/, (_, [, topic]) => json([`${topic} costs`, `${topic} risks`, `${topic} history`])],
  [
    /^Write a report on (.+?) from /s,
    (_, [, topic]) => json({ title: `On ${topic}`, text: `All that is known of ${topic}.` }),
  ],
  [
    /^Extract what matters for (.+?) from /s,
    (_, [, document]) => json({ summary: `The gist of ${document}`, sure: !document.endsWith('7') }),
  ],
]

/** The agent of autonomous-agent.yaml: it searches, asks, writes the mail, and says that it is done. */
const agent = (request) => {
  const names = request.tools.map((tool) => tool.name)
  if (!names.includes('send_mail')) return null
  const turns = [
    uses('search', { query: 'tides' }),
    uses('ask_person', { question: 'Shall I keep it short?' }),
    uses('send_mail', { body: 'Tides come twice a day.' }),
  ]
  return turns[request.toolTurns] ?? text('The mail is sent.')
}

/**
 * The API takes objects only at the root of an answer: a list is asked for as the one member of an object.
 * @param {any} request @param {any} message
 */
const shaped = (request, message) => {
  const [key, ...more] = Object.keys(request.schema?.properties ?? {})
  if (!message.text.startsWith('[') || key === undefined || more.length > 0) return message
  return { ...message, text: JSON.stringify({ [key]: JSON.parse(message.text) }) }
}

/** Null leaves the call to the scripted model's own behaviour. @param {any} request */
export const script = (request) => {
  const acted = agent(request)
  if (acted) return acted
  if (request.tools.length > 0) return null
  for (const [pattern, answer] of ANSWERS) {
    const found = pattern.exec(request.prompt)
    if (found) return shaped(request, answer(request, found))
  }
  return null
}
