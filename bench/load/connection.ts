import { connect, type TLSSocket } from 'node:tls'

export interface Answer {
  status: number
  body: Buffer
}

export interface Place {
  port: number
  /** PEM of the authority that signed the server's certificate. */
  ca: string
}

const PATIENCE_MS = 30_000
const HEAD_END = Buffer.from('\r\n\r\n')

interface Waiting {
  resolve: (answer: Answer) => void
  reject: (error: Error) => void
}

/**
 * One keep-alive HTTPS connection, one request at a time, written by hand: Node's own client costs more than the bare server
 * does, and on a machine where client and server share the cores that would hide what is measured.
 */
export class Connection {
  readonly #socket: TLSSocket
  #received: Buffer = Buffer.alloc(0)
  #waiting: Waiting | null = null

  private constructor(socket: TLSSocket) {
    this.#socket = socket
    socket.setNoDelay(true)
    socket.setTimeout(PATIENCE_MS, () => {
      if (this.#waiting) socket.destroy(new Error(`no answer within ${PATIENCE_MS / 1000} s`))
    })
    socket.on('data', (chunk: Buffer) => this.#take(chunk))
    socket.on('error', (error) => this.#fail(error))
    socket.on('close', () => this.#fail(new Error('the server closed the connection')))
  }

  static open({ port, ca }: Place): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host: '127.0.0.1', port, ca, servername: 'localhost', minVersion: 'TLSv1.3' }, () => {
        socket.off('error', reject)
        resolve(new Connection(socket))
      })
      socket.once('error', reject)
    })
  }

  send(request: Buffer): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject }
      this.#socket.write(request)
    })
  }

  close(): void {
    this.#waiting = null
    this.#socket.destroy()
  }

  #take(chunk: Buffer): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk])
    const headEnd = this.#received.indexOf(HEAD_END)
    if (headEnd < 0) return
    const head = this.#received.toString('latin1', 0, headEnd)
    const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1]
    if (length === undefined) return this.#fail(new Error('an answer without Content-Length'))
    const end = headEnd + HEAD_END.length + Number(length)
    if (this.#received.length < end) return
    const body = this.#received.subarray(headEnd + HEAD_END.length, end)
    this.#received = this.#received.subarray(end)
    const waiting = this.#waiting
    this.#waiting = null
    waiting?.resolve({ status: Number(head.slice(9, 12)), body })
  }

  #fail(error: Error): void {
    const waiting = this.#waiting
    this.#waiting = null
    this.#socket.destroy()
    waiting?.reject(error)
  }
}

/** The bytes of one HTTP/1.1 request. */
export function requestBytes(method: string, path: string, headers: Readonly<Record<string, string>>, body?: object): Buffer {
  const json = body === undefined ? '' : JSON.stringify(body)
  const typed = body === undefined ? '' : `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(json)}\r\n`
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  return Buffer.from(`${method} ${path} HTTP/1.1\r\n${lines.join('')}${typed}\r\n${json}`)
}
