// Keeps web pages away from an API without keys that listens on loopback.
import { isLoopback } from '../../../config.ts'
import { Rejection } from '../problems.ts'

const hostOf = (authority: string): string | null => {
  const url = `http://${authority}`
  if (!URL.canParse(url)) return null
  return new URL(url).hostname.replace(/^\[|\]$/g, '')
}

const loops = (authority: string): boolean => {
  const host = hostOf(authority)
  return host !== null && (isLoopback(host) || host.endsWith('.localhost'))
}

/**
 * Any page in a browser on this machine can send requests to loopback, by a name of its own that resolves there,
 * or as a plain form post. Both give themselves away: by the Host, or by the Origin. Throws `unauthorized`.
 */
export const refuseForeignPages = (headers: { host?: string | undefined; origin?: string | undefined }): void => {
  if (headers.host !== undefined && !loops(headers.host))
    throw new Rejection('unauthorized', 'this API listens on loopback and is asked for by another name')
  if (headers.origin === undefined) return
  const origin = URL.canParse(headers.origin) ? new URL(headers.origin).host : ''
  if (!loops(origin)) throw new Rejection('unauthorized', 'a web page from elsewhere may not use this API')
}
