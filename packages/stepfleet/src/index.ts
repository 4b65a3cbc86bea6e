// The public package: what users of Stepfleet import.
export { type Client, type ClientOptions, createClient, StepfleetError } from '@stepfleet/client'
export { type ScriptedModel, type ScriptedModelOptions, startScriptedModel } from '@stepfleet/scripted-model'
export {
  type Checked,
  defineTool,
  isTool,
  type JsonObject,
  type Tool,
  type ToolCheck,
  type ToolContext,
  type ToolDefinition,
  type ToolLog,
  type ToolSchema,
} from './tool.ts'
export { isToolError, ToolError, type ToolErrorOptions } from './tool-error.ts'
