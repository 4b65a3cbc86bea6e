// Receives what the bench's tool `tell` says: which step was called, and when.
import { createServer, type Socket } from 'node:net'

export interface Tell {
  run: string
  path: string
  /** Milliseconds since 1970 by the tool-worker's clock, with fractions. */
  atMs: number
}

export interface Tells {
  port: number
  /** Replaces the listener before. */
  listen(listener: (tell: Tell) => void): void
  close(): void
}

export const openTells = async (): Promise<Tells> => {
  let listener: (tell: Tell) => void = () => {}
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    let rest = ''
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => {})
    socket.on('data', (chunk) => {
      const lines = (rest + chunk.toString('latin1')).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) {
        const [key = '', at = ''] = line.split(' ')
        const [, run = '', ...path] = key.split('/')
        listener({ run, path: path.join('/'), atMs: Number(at) })
      }
    })
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    port: address.port,
    listen: (next) => {
      listener = next
    },
    close: () => {
      for (const socket of sockets) socket.destroy()
      server.close()
    },
  }
}
