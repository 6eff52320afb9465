import { writeFileSync } from 'node:fs'
import type { IncomingHttpHeaders } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { makeServerCertificate } from './certificates.ts'
import type { Json } from './server.ts'

export interface Received {
  path: string
  headers: IncomingHttpHeaders
  text: string
  body: Json
}

/** A program of somebody else's that webhooks are sent to: a real https server with a certificate of its own authority. */
export class Receiver {
  readonly received: Received[] = []
  readonly #answers = new Map<string, { status: number; headers?: Record<string, string> }[]>()
  readonly caFile: string
  readonly #server: Server

  private constructor(server: Server, caFile: string) {
    this.#server = server
    this.caFile = caFile
  }

  /** `caFile` is written: for NODE_EXTRA_CA_CERTS of the server under test. */
  static async open(caFile: string): Promise<Receiver> {
    const { ca, cert, key } = await makeServerCertificate('localhost')
    writeFileSync(caFile, ca)
    const server = createServer({ cert, key })
    const receiver = new Receiver(server, caFile)
    server.on('request', (request, response) => {
      const chunks: Buffer[] = []
      request.on('data', (c: Buffer) => chunks.push(c))
      request.on('end', () => {
        const text = Buffer.concat(chunks).toString()
        receiver.received.push({ path: request.url ?? '', headers: request.headers, text, body: JSON.parse(text) as Json })
        const { status, headers = {} } = receiver.#answers.get(request.url ?? '')?.shift() ?? { status: 200 }
        response.writeHead(status, headers).end('thank you')
      })
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return receiver
  }

  url(path = '/hook'): string {
    return `https://localhost:${(this.#server.address() as AddressInfo).port}${path}`
  }

  /** How a path answers the next times, one each; then 200. */
  answer(path: string, ...answers: { status: number; headers?: Record<string, string> }[]): void {
    this.#answers.set(path, answers)
  }

  /** What came to a path, once there is as much. */
  async waitFor(path: string, count: number): Promise<Received[]> {
    for (let i = 0; i < 600; i++) {
      const found = this.received.filter((r) => r.path === path)
      if (found.length >= count) return found
      await sleep(50)
    }
    throw new Error(`${this.received.filter((r) => r.path === path).length} of ${count} messages came to ${path}`)
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise<void>((resolve) => this.#server.close(() => resolve()))
  }
}
