// Bytes that are no HTTP request never reach a route; they are answered here, in the words of all other problems.
import type { Socket } from 'node:net'
import { problemOf, Rejection } from '../problems.ts'

const STATUS: Record<string, string> = {
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
}

export const answerClientError = (error: { code: string; message: string }, socket: Socket): void => {
  if (error.code === 'ECONNRESET' || socket.destroyed || !socket.writable) return
  const body = JSON.stringify(problemOf(new Rejection('bad_request', 'the bytes are not an HTTP request'), undefined))
  const head = [
    `HTTP/1.1 ${STATUS[error.code] ?? '400 Bad Request'}`,
    'Content-Type: application/problem+json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
  ]
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`)
}
