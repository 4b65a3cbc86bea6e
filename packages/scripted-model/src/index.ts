// The door of the scripted model: a server that speaks the providers' protocols by script and keeps a ledger.
export { DirectiveError } from './answering/bracket.ts'
export { DIRECTIVES } from './answering/directives.ts'
export { type Flavour, generate } from './answering/generate.ts'
export {
  type Answer,
  type ErrorKind,
  type MessageAnswer,
  type ProtocolName,
  type Script,
  type ScriptedError,
  type ScriptedTool,
  type ScriptedToolUse,
  type ScriptedUsage,
  type ScriptRequest,
  type StopReason,
  type StreamFault,
  TORN_CHARACTER,
} from './answering/script.ts'
export type { Outage } from './control.ts'
export { EFFECT_DIRECTIVES } from './effects/directives.ts'
export {
  type EffectEntry,
  type EffectLine,
  type LedgerEntry,
  type LedgerLine,
  readEffects,
  readLedger,
  readLines,
} from './ledger.ts'
export type { Limit, LimitReport } from './limits.ts'
export type { Rule } from './rules.ts'
export { type ScriptedModel, type ScriptedModelOptions, startScriptedModel } from './server.ts'
