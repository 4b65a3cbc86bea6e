// Free ports, and a PING over a bare socket: what is needed to know that a server is up.
import { connect, createServer } from 'node:net'

/** A TCP port of 127.0.0.1 that nobody listens on right now. */
export const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer()
    server.on('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() =>
        typeof address === 'object' && address ? resolve(address.port) : reject(new Error('the system gave no port')),
      )
    })
  })

/** Sends one inline command and answers the first bytes of the reply; null when nothing answers in time. */
export const ask = (port: number, command: string, timeoutMs = 1_000): Promise<string | null> =>
  new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' })
    const end = (reply: string | null): void => {
      socket.destroy()
      resolve(reply)
    }
    socket.setTimeout(timeoutMs, () => end(null))
    socket.on('error', () => end(null))
    socket.on('close', () => end(null))
    socket.on('connect', () => socket.write(`${command}\r\n`))
    socket.on('data', (bytes) => end(bytes.toString('utf8')))
  })
