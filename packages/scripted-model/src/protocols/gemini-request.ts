// Gemini's generateContent as a client sends it. What the real API refuses is refused here too, in its words.
import { z } from 'zod'
import type { Asked, ScriptedTool } from '../answering/script.ts'
import { isObject, type Json, type JsonObject, jsonObject } from '../json.ts'
import { type Arrived, inputTokensOf, jsonOf, RequestError } from './protocol.ts'

const json = z.custom<Json>((value) => value !== undefined, 'a JSON value is required')
const object = z.record(z.string(), json)
const part = z.looseObject({
  text: z.string().optional(),
  thought: z.boolean().optional(),
  thoughtSignature: z.string().optional(),
  functionCall: z.looseObject({ id: z.string().optional(), name: z.string(), args: object.optional() }).optional(),
  functionResponse: z.looseObject({ id: z.string().optional(), name: z.string(), response: object }).optional(),
})
type Part = z.infer<typeof part>
const content = z.looseObject({ role: z.enum(['user', 'model', 'function']).optional(), parts: z.array(part).min(1) })
type Content = z.infer<typeof content>

const requestSchema = z.looseObject({
  contents: z.array(content).min(1),
  systemInstruction: z.looseObject({ parts: z.array(part) }).optional(),
  tools: z
    .array(
      z.looseObject({
        functionDeclarations: z
          .array(
            z.looseObject({
              name: z.string(),
              parameters: object.optional(),
              parametersJsonSchema: object.optional(),
            }),
          )
          .optional(),
      }),
    )
    .optional(),
  toolConfig: z
    .looseObject({
      functionCallingConfig: z
        .looseObject({
          mode: z.enum(['MODE_UNSPECIFIED', 'AUTO', 'ANY', 'NONE', 'VALIDATED']).optional(),
          allowedFunctionNames: z.array(z.string()).optional(),
        })
        .optional(),
    })
    .optional(),
  generationConfig: z
    .looseObject({
      maxOutputTokens: z.int().positive().optional(),
      stopSequences: z.array(z.string()).max(5).optional(),
      responseMimeType: z.string().optional(),
      responseSchema: object.optional(),
      responseJsonSchema: json.optional(),
      candidateCount: z.literal(1).optional(),
    })
    .optional(),
})
type GenerateRequest = z.infer<typeof requestSchema>

const PATH = /^\/v1(?:beta|alpha)?\/models\/([^/]+):(generateContent|streamGenerateContent)$/
const MAX_TOKENS = 65_536

export const isGeminiPath = (path: string): boolean => PATH.test(path)

/** A schema of OpenAPI's kind (`type: STRING`, `nullable`) as JSON Schema. */
export const jsonSchemaOf = (given: JsonObject): JsonObject => {
  const { nullable, ...schema } = given
  const converted: JsonObject = {}
  for (const [word, value] of Object.entries(schema)) converted[word] = convertedWord(word, value)
  if (nullable === true && typeof converted.type === 'string') converted.type = [converted.type, 'null']
  return converted
}

const convertedWord = (word: string, value: Json): Json => {
  if (word === 'type' && typeof value === 'string') return value.toLowerCase()
  if (word === 'properties' && isObject(value))
    return Object.fromEntries(
      Object.entries(value).map(([name, child]) => [name, isObject(child) ? jsonSchemaOf(child) : child]),
    )
  if (word === 'items' && isObject(value)) return jsonSchemaOf(value)
  if (word === 'anyOf' && Array.isArray(value))
    return value.map((child) => (isObject(child) ? jsonSchemaOf(child) : child))
  // its 64-bit integers are strings
  const numeric = /^(min|max)(Items|Length|Properties)$/.test(word) && typeof value === 'string'
  return numeric ? Number(value) : value
}

const isModel = ({ role }: Content): boolean => role === 'model'
const callsIn = ({ parts }: Content): Part[] => parts.filter(({ functionCall }) => functionCall !== undefined)
const resultsIn = ({ parts }: Content): Part[] => parts.filter((each) => each.functionResponse !== undefined)

/** A turn of function calls is followed by a turn with as many responses, and no response stands anywhere else. */
const unpaired = (contents: readonly Content[]): string | null => {
  for (const [index, each] of contents.entries()) {
    const before = contents[index - 1]
    const asked = before && isModel(before) ? callsIn(before) : []
    const answered = isModel(each) ? [] : resultsIn(each)
    if (asked.length === answered.length) continue
    return 'Please ensure that the number of function response parts is equal to the number of function call parts of the function call turn.'
  }
  const last = contents.at(-1)
  if (last && isModel(last) && callsIn(last).length > 0)
    return 'Please ensure that function response turn comes immediately after a function call turn.'
  return null
}

/** Gemini 3 wants its signature back with the first call of each step of the turn that is going on. */
const unsigned = (model: string, contents: readonly Content[]): string | null => {
  if (!/^gemini-3/.test(model)) return null
  const start = contents.findLastIndex((each) => !isModel(each) && resultsIn(each).length === 0)
  for (const [index, each] of contents.entries()) {
    const [first] = isModel(each) && index > start ? callsIn(each) : []
    if (first && !first.thoughtSignature)
      return `Function call is missing a thought_signature in functionCall parts: ${first.functionCall?.name ?? ''}, position ${index + 1}.`
  }
  return null
}

const refusal = (model: string, data: GenerateRequest): string | null => {
  const config = data.generationConfig ?? {}
  const shaped = config.responseSchema !== undefined || config.responseJsonSchema !== undefined
  if (config.responseSchema !== undefined && config.responseJsonSchema !== undefined)
    return 'Only one of response_schema and response_json_schema can be set.'
  if (shaped && config.responseMimeType !== 'application/json')
    return 'Response schema requires response_mime_type to be application/json.'
  if (config.responseMimeType === 'application/json' && toolsOf(data).length > 0 && /^gemini-[12]/.test(model))
    return "Function calling with a response mime type: 'application/json' is unsupported"
  return unpaired(data.contents) ?? unsigned(model, data.contents)
}

const toolsOf = (data: GenerateRequest): ScriptedTool[] =>
  (data.tools ?? []).flatMap(({ functionDeclarations = [] }) =>
    functionDeclarations.map(({ name, parameters, parametersJsonSchema }) => ({
      name,
      schema: parametersJsonSchema ?? (parameters ? jsonSchemaOf(parameters) : {}),
    })),
  )

const checkKey = ({ header, query }: Arrived): void => {
  if (!header('x-goog-api-key') && !query.get('key') && !header('authorization'))
    throw new RequestError(403, "Method doesn't allow unregistered callers. Send x-goog-api-key; any key will do here.")
}

/** Reads `POST /v1beta/models/{model}:generateContent` and its streamed twin; throws RequestError. */
export const readGenerate = (call: Arrived): Asked => {
  checkKey(call)
  const [, model = '', method = ''] = PATH.exec(call.path) ?? []
  const stream = method === 'streamGenerateContent'
  if (stream && call.query.get('alt') !== 'sse') throw new RequestError(400, 'This server streams with alt=sse only.')
  const value = jsonOf(call.body, 'Invalid JSON payload received.')
  const result = requestSchema.safeParse(value)
  if (!result.success) {
    const [issue] = result.error.issues
    throw new RequestError(400, `Invalid value at '${issue?.path.join('.') || 'body'}': ${issue?.message ?? 'invalid'}`)
  }
  const name = decodeURIComponent(model)
  const why = refusal(name, result.data)
  if (why) throw new RequestError(400, why)
  return askedOf(result.data, { model: name, stream, body: jsonObject(value) })
}

const textOf = (parts: readonly Part[] = []): string =>
  parts.flatMap(({ text, thought }) => (text !== undefined && thought !== true ? [text] : [])).join('\n')

/** A response is an object: the text in it when it has one of the usual names, else its JSON. */
const resultText = (response: JsonObject): string => {
  const named = response.output ?? response.result ?? response.error
  return typeof named === 'string' ? named : JSON.stringify(named ?? response)
}

const choiceOf = (data: GenerateRequest): Pick<Asked, 'toolChoice' | 'forcedTool'> => {
  const { mode, allowedFunctionNames: names = [] } = data.toolConfig?.functionCallingConfig ?? {}
  if (mode === 'NONE') return { toolChoice: 'none', forcedTool: null }
  if (mode !== 'ANY') return { toolChoice: 'auto', forcedTool: null }
  const [only] = names
  return names.length === 1 && only !== undefined
    ? { toolChoice: 'tool', forcedTool: only }
    : { toolChoice: 'any', forcedTool: null }
}

const schemaOf = ({ generationConfig: config = {} }: GenerateRequest): JsonObject | null => {
  if (config.responseSchema) return jsonSchemaOf(config.responseSchema)
  if (isObject(config.responseJsonSchema)) return config.responseJsonSchema
  return config.responseMimeType === 'application/json' ? { type: 'object' } : null
}

const askedOf = (data: GenerateRequest, call: Pick<Asked, 'model' | 'stream' | 'body'>): Asked => {
  const { contents, generationConfig: config = {} } = data
  const model = contents.filter(isModel)
  const last = contents.at(-1)
  return {
    ...call,
    turn: model.length + 1,
    toolTurns: model.filter((each) => callsIn(each).length > 0).length,
    system: textOf(data.systemInstruction?.parts),
    prompt: contents
      .filter((each) => !isModel(each))
      .map(({ parts }) => textOf(parts))
      .filter((text) => text.trim() !== '')
      .join('\n'),
    toolResults: last ? resultsIn(last).map((each) => resultText(each.functionResponse?.response ?? {})) : [],
    tools: toolsOf(data),
    ...choiceOf(data),
    parallelTools: true,
    schema: schemaOf(data),
    maxTokens: config.maxOutputTokens ?? MAX_TOKENS,
    stopSequences: config.stopSequences ?? [],
    inputTokens: inputTokensOf([call.body.systemInstruction ?? '', call.body.contents, call.body.tools ?? []]),
  }
}
