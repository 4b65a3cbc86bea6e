// What each function takes and gives, for the check at registration. A test holds it to the library.
import type { Kind } from './types.ts'

export interface Signature {
  /** Kinds of each argument; the last counts for all that follow. */
  takes: readonly (readonly Kind[])[]
  gives: Kind
}

const of = (gives: Kind, ...takes: readonly Kind[][]): Signature => ({ takes, gives })
const TEXT: Kind[] = ['text']
const LIST: Kind[] = ['list']
const MAP: Kind[] = ['map']
const NUMBER: Kind[] = ['number']
const ANY: Kind[] = ['any']

export const SIGNATURES: ReadonlyMap<string, Signature> = new Map([
  ['size', of('number', ['text', 'list', 'map'])],
  ['string', of('text', ANY)],
  ['int', of('number', ANY)],
  ['double', of('number', ANY)],
  ['bool', of('boolean', ['text', 'boolean'])],
  ['contains', of('boolean', ['text', 'list'], ANY)],
  ['startsWith', of('boolean', TEXT)],
  ['endsWith', of('boolean', TEXT)],
  ['lower', of('text', TEXT)],
  ['upper', of('text', TEXT)],
  ['trim', of('text', TEXT)],
  ['replace', of('text', TEXT)],
  ['split', of('list', TEXT)],
  ['join', of('text', LIST, TEXT)],
  ['slice', of('any', ['text', 'list'], NUMBER)],
  ['substring', of('text', TEXT, NUMBER)],
  ['first', of('any', LIST)],
  ['last', of('any', LIST)],
  ['flatten', of('list', LIST)],
  ['distinct', of('list', LIST)],
  ['sort', of('list', LIST)],
  ['reverse', of('any', ['text', 'list'])],
  ['keys', of('list', MAP)],
  ['values', of('list', MAP)],
  ['merge', of('map', MAP)],
  ['json', of('text', ANY)],
  ['parseJson', of('any', TEXT)],
  ['coalesce', of('any', ANY)],
  ['sum', of('number', ['list', 'number'])],
  ['min', of('number', ['list', 'number'])],
  ['max', of('number', ['list', 'number'])],
  ['abs', of('number', NUMBER)],
  ['round', of('number', NUMBER)],
  ['floor', of('number', NUMBER)],
  ['ceil', of('number', NUMBER)],
  ['timestamp', of('number', TEXT)],
  ['duration', of('number', TEXT)],
  ['formatTime', of('text', NUMBER)],
  ['sha256', of('text', TEXT)],
  ['urlEncode', of('text', TEXT)],
])
