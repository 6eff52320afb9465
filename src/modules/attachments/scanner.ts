import { connect, type Socket } from 'node:net'
import { once } from 'node:events'
import { Problem } from '../../kernel/base/index.ts'

/** Where clamd listens: a path of a socket, or host and port. */
export type ScannerAddress = { path: string } | { host: string; port: number }

const PATIENCE_MS = 60_000
const MOST_ANSWER = 4096

/** One file on its way through clamd (INSTREAM): sent piece by piece while it is taken in, so nothing waits for a whole file. Every method throws Problem scanner-unavailable when the scanner does not do its part. */
export class Scan {
  readonly #socket: Socket
  /** All that the scanner said, once it is a line or the connection has closed. */
  readonly #answer: Promise<string>

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.setTimeout(PATIENCE_MS, () => socket.destroy(new Error('scanner is silent')))
    // Told by whichever method is waiting, or comes next.
    socket.on('error', () => undefined)
    this.#answer = new Promise((resolve) => {
      let said = ''
      socket.setEncoding('latin1').on('data', (d: string) => {
        said += d
        if (said.includes('\0') || said.length > MOST_ANSWER) resolve(said)
      })
      socket.once('close', () => resolve(said))
    })
  }

  static async begin(address: ScannerAddress): Promise<Scan> {
    const socket = connect(address)
    const scan = new Scan(socket)
    try {
      await once(socket, 'connect')
    } catch (error) {
      throw new Problem('scanner-unavailable', { cause: error })
    }
    await scan.#write(Buffer.from('zINSTREAM\0'))
    return scan
  }

  async send(bytes: Uint8Array): Promise<void> {
    if (bytes.length === 0) return // a piece of no bytes is how clamd is told the end
    const length = Buffer.allocUnsafe(4)
    length.writeUInt32BE(bytes.length)
    await this.#write(length)
    await this.#write(bytes)
  }

  /** The name of what was found, or null for a clean file. */
  async verdict(): Promise<string | null> {
    await this.#write(Buffer.alloc(4))
    const [line = ''] = (await this.#answer).split('\0')
    this.#socket.destroy()
    if (line === 'stream: OK') return null
    const found = /^stream: (.+) FOUND$/.exec(line)
    // "INSTREAM size limit exceeded", a scanner without signatures, half an answer: no verdict, so no file.
    if (!found) throw new Problem('scanner-unavailable', { cause: new Error('no verdict') })
    return found[1]!
  }

  close(): void {
    this.#socket.destroy()
  }

  async #write(bytes: Uint8Array): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#socket.write(bytes, (error) => (error ? reject(new Problem('scanner-unavailable', { cause: error })) : resolve()))
    })
  }
}

/** `host:port` or the path of a socket; null for anything else. */
export function scannerAddress(text: string): ScannerAddress | null {
  if (text.startsWith('/')) return { path: text }
  const match = /^\[?([A-Za-z0-9.:_-]+?)\]?:(\d{1,5})$/.exec(text)
  return match && Number(match[2]) > 0 && Number(match[2]) < 65_536 ? { host: match[1]!, port: Number(match[2]) } : null
}
