// How many tokens a request will be, without any provider's tokenizer: one number that is hardly ever too small (for rate
// limits and budgets), and one that is never too large (to refuse a request that cannot fit).
//
// Where the numbers come from. Providers tell of about 4 characters of English per token; Claude's tokenizer since 4.7 makes some 30 %
// more tokens of the same text (platform.claude.com/docs/en/models/haiku-5-5/overview), so about 3. Digits and punctuation are often
// tokens of their own, and so are the characters of scripts like Chinese. The other way round: tokenizers split at spaces first, so no
// token is more than a word, and hardly one is more than 16 characters of it; but a long row of one character can be one token.
import type { Json } from '@stepfleet/contracts'
import type { ModelMessage, ModelRequest } from './provider.ts'

type Asked = Pick<ModelRequest, 'system' | 'messages' | 'tools' | 'format'>

/** Characters per token: Latin letters and spaces, digits and punctuation, all other characters. */
const LETTERS = 3
const SIGNS = 1.5
const OTHERS = 1
/** What a message is wrapped in: its role, its borders. */
const PER_MESSAGE = 8
/** What providers add to the system prompt once there are tools: a few hundred for Claude. */
const FOR_TOOLS = 550

const MOST_PER_TOKEN = 16

const SPACE = 0x20
const ASCII_END = 0x80
const CASE_BIT = 0x20
const A = 0x61
const Z = 0x7a

const isLetter = (code: number): boolean => code <= SPACE || ((code | CASE_BIT) >= A && (code | CASE_BIT) <= Z)

const mostOf = (text: string): number => {
  let letters = 0
  let signs = 0
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at)
    if (code >= ASCII_END) continue
    if (isLetter(code)) letters += 1
    else signs += 1
  }
  return Math.ceil(letters / LETTERS + signs / SIGNS + (text.length - letters - signs) / OTHERS)
}

/** Words, long ones as several; a row of one character counts as that character. */
const leastOf = (text: string): number => {
  let tokens = 0
  let word = 0
  let before = -1
  for (let at = 0; at <= text.length; at += 1) {
    const code = at < text.length ? text.charCodeAt(at) : SPACE
    if (code <= SPACE) {
      tokens += Math.ceil(word / MOST_PER_TOKEN)
      word = 0
    } else if (code !== before) word += 1
    before = code
  }
  return tokens
}

const jsonOf = (value: Json): string => JSON.stringify(value)

const plainTextsOf = (message: ModelMessage): string[] =>
  message.role === 'results' ? message.results.map(({ content }) => content) : [message.text]

/** Texts that are tokens as they stand. Opaque content is not among them: much of it is signatures, which cost nothing. */
const plainTexts = ({ system, messages, tools }: Asked): string[] => [
  system ?? '',
  ...tools.map(({ description }) => description),
  ...messages.flatMap(plainTextsOf),
]

const opaqueTexts = ({ messages, tools, format }: Asked): string[] => [
  ...tools.map(({ name, input }) => name + jsonOf(input)),
  ...(format === null ? [] : [jsonOf(format)]),
  ...messages.flatMap((message) => (message.role === 'answer' ? [jsonOf(message.content)] : [])),
]

/** Tokens of the input, more rather than fewer: over by up to a half for prose, less for code and JSON. */
export const estimateTokens = (request: Asked): number => {
  const { messages, tools } = request
  // an answer's text is in its content, too
  const plain = plainTexts({ ...request, messages: messages.filter(({ role }) => role !== 'answer') })
  const texts = [...plain, ...opaqueTexts(request)].reduce((sum, text) => sum + mostOf(text), 0)
  return texts + messages.length * PER_MESSAGE + (tools.length === 0 ? 0 : FOR_TOOLS)
}

/** Tokens of the input, fewer rather than more: it is surely as many. */
export const leastTokens = (request: Asked): number => plainTexts(request).reduce((sum, text) => sum + leastOf(text), 0)

/** Characters that could be tokens: `leastTokens` is never more, and this costs nothing to ask. */
export const plainLength = (request: Asked): number => plainTexts(request).reduce((sum, text) => sum + text.length, 0)
