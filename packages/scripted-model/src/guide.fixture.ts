// The tables of the guide, made of the code: readme.test.ts compares them with what stands there.
import type { Table } from './answering/bracket.ts'
import { DIRECTIVES } from './answering/directives.ts'
import { ERROR_KINDS, PROTOCOL_NAMES, type ProtocolName, type ScriptedError, STOP_REASONS } from './answering/script.ts'
import { CONTROL_DOORS } from './control-http.ts'
import { EFFECT_DIRECTIVES } from './effects/directives.ts'
import { FAULTS } from './faults.fixture.ts'
import { isObject, type Json } from './json.ts'
import { PROTOCOLS } from './protocols/protocols.ts'

const TITLES: Record<ProtocolName, string> = { anthropic: 'Anthropic', openai: 'OpenAI', gemini: 'Gemini' }
const titles = PROTOCOL_NAMES.map((name) => TITLES[name])

const code = (text: string): string => `\`${text.replaceAll('|', '\\|')}\``
const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [row(head), row(head.map(() => '---')), ...rows.map(row)].join('\n')

const directives = (all: Table): string =>
  table(
    ['directive', 'what it does'],
    Object.entries(all).map(([name, { takes, does }]) => [code(takes === '' ? name : `${name}=${takes}`), does]),
  )

const errorWord = (name: ProtocolName, error: ScriptedError): string => {
  const body = PROTOCOLS[name].errorBody(error, 'req')
  const inner: Json | undefined = body.error
  if (!isObject(inner)) return String(error.status)
  const word = inner.code && name === 'openai' ? inner.code : name === 'gemini' ? inner.status : inner.type
  return `${error.status} ${code(String(word))}${name === 'gemini' && error.code ? ` ${code(error.code)}` : ''}`
}

/** Heading in the guide → the table under it. */
export const TABLES: Readonly<Record<string, string>> = {
  Directives: directives(DIRECTIVES),
  'Why an answer ends': table(
    [code('stop='), ...titles],
    STOP_REASONS.map((stop) => [
      code(stop),
      ...PROTOCOL_NAMES.map((name) => {
        const word = PROTOCOLS[name].stops[stop]
        return word === null ? '–' : code(word)
      }),
    ]),
  ),
  Errors: table(
    [code('error='), ...titles],
    ERROR_KINDS.map((kind) => [
      code(kind),
      ...PROTOCOL_NAMES.map((name) => errorWord(name, PROTOCOLS[name].errors[kind])),
    ]),
  ),
  'What goes wrong': table(
    ['fault', 'directive', ...titles],
    FAULTS.map(({ fault, directive, with: extra, seen }) => [
      extra === 'schema' ? `${fault} (with a schema)` : extra === 'tools' ? `${fault} (with tools)` : fault,
      code(directive),
      ...PROTOCOL_NAMES.map((name) => seen[name]),
    ]),
  ),
  'Directives of effects': directives(EFFECT_DIRECTIVES),
}

/** Every door of the control, as the guide names it: `POST /_script/rules`. */
export const DOOR_NAMES = CONTROL_DOORS.map((door) => {
  const [method = '', name = ''] = door.split(' ')
  return `${method} /_script${name === '' ? '' : `/${name}`}`
})
