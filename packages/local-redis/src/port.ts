// Free ports, and a PING over a bare socket: what is needed to know that a server is up.
import { connect, createServer } from 'node:net'

const listening = (): Promise<{ port: number; close: () => Promise<void> }> =>
  new Promise((resolve, reject) => {
    const server = createServer()
    server.on('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      if (typeof address !== 'object' || !address) return reject(new Error('the system gave no port'))
      resolve({ port: address.port, close: () => new Promise((done) => server.close(() => done())) })
    })
  })

/** TCP ports of 127.0.0.1 that nobody listens on right now, no two the same. */
export const freePorts = async (count: number): Promise<number[]> => {
  // all held at once, so that none is given twice
  const held = await Promise.all(Array.from({ length: count }, listening))
  await Promise.all(held.map(({ close }) => close()))
  return held.map(({ port }) => port)
}

export const freePort = async (): Promise<number> => {
  const { port, close } = await listening()
  await close()
  return port
}

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
