// Checks of the input of tools that every tool-worker has: `http`, and `callback`, which is told of by HTTP.
import { BUILT_IN_TOOLS, type Json, nearest } from '@stepfleet/contracts'
import { holdsExpression } from '../../expressions/scan.ts'
import { isMap } from '../../expressions/values.ts'
import { isOneExpression } from '../../expressions.ts'
import type { Findings, Path } from './findings.ts'

type Input = Record<string, Json> | undefined

const checkFields = (tool: string, fields: readonly string[], input: Input, at: Path, findings: Findings): void => {
  for (const field of Object.keys(input ?? {})) {
    if (fields.includes(field)) continue
    findings.error([...at, field], 'unknown_field', `${tool} takes no \`${field}\``, nearest(field, fields))
  }
}

const checkMethod = (methods: readonly string[], why: string, input: Input, at: Path, findings: Findings): void => {
  const method = input?.method
  if (typeof method !== 'string' || holdsExpression(method) || methods.includes(method.toUpperCase())) return
  findings.error([...at, 'method'], 'invalid_value', why, nearest(method, methods))
}

const HTTP_METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']

/** What the worker's own check takes (services/tool-worker/src/tools/http.ts). */
const HTTP_FIELDS = ['url', 'method', 'query', 'headers', 'body', 'expect']

const checkHttp = (input: Input, at: Path, findings: Findings): void => {
  checkFields('http', HTTP_FIELDS, input, at, findings)
  if (input?.url === undefined) findings.error([...at, 'url'], 'missing_field', 'an http tool needs a `url`')
  checkMethod(HTTP_METHODS, 'no HTTP method', input, at, findings)
}

/** As services/tool-worker/src/tools/callback.ts. The token travels in the body, so there has to be one. */
const TELLING_METHODS = ['POST', 'PUT', 'PATCH']
const CALLBACK_FIELDS = ['url', 'method', 'headers', 'body']

const checkBody = (body: Json | undefined, at: Path, findings: Findings): void => {
  if (body === undefined || (typeof body === 'string' && isOneExpression(body))) return
  if (!isMap(body)) {
    const message = 'the body of a callback is a map: the token is put into it, as `callback`'
    findings.error(at, 'invalid_value', message)
  } else if (Object.hasOwn(body, 'callback')) {
    findings.error([...at, 'callback'], 'invalid_value', '`callback` is where the token is put', 'data')
  }
}

/** Without a `url` nobody is told, and the rest would be accepted and ignored. */
const checkCallback = (input: Input, at: Path, findings: Findings): void => {
  checkFields('callback', CALLBACK_FIELDS, input, at, findings)
  if (input?.url === undefined) {
    for (const field of Object.keys(input ?? {})) {
      if (!CALLBACK_FIELDS.includes(field)) continue
      const message = `\`${field}\` needs a \`url\`: without one nobody is told`
      findings.error([...at, field], 'misplaced_modifier', message)
    }
    return
  }
  checkMethod(TELLING_METHODS, 'a callback is told of with a method that has a body', input, at, findings)
  checkBody(input.body, [...at, 'body'], findings)
}

/** `path`: of the step or tool entry. */
export const checkBuiltIn = (tool: string, input: Input, path: Path, findings: Findings): void => {
  const at = [...path, 'with']
  if (tool === 'http') checkHttp(input, at, findings)
  if (tool === 'callback') checkCallback(input, at, findings)
}

/** A tool that an agent is given by its name is a module tool: the model could not know what a built-in one is for. */
export const checkNamed = (tool: string, path: Path, findings: Findings): void => {
  if (!BUILT_IN_TOOLS.has(tool)) return
  const message = `\`${tool}\` is no module tool: describe what it is for, {name, description, input, tool: ${tool}, with}`
  findings.error(path, 'invalid_value', message)
}
