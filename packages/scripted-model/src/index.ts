// The door of the scripted model: a server that speaks Anthropic's Messages API by script and keeps a ledger.
export { DIRECTIVES, DirectiveError } from './directives.ts'
export { type Flavour, generate } from './generate.ts'
export { type LedgerEntry, type LedgerLine, readLedger, readLines } from './ledger.ts'
export type { StopReason } from './protocol.ts'
export type {
  Answer,
  MessageAnswer,
  Script,
  ScriptedTool,
  ScriptedToolUse,
  ScriptedUsage,
  ScriptRequest,
  StreamFault,
} from './script.ts'
export { type ScriptedModel, type ScriptedModelOptions, startScriptedModel } from './server.ts'
