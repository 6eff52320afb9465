import { readFileSync } from 'node:fs'
import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http'
import { Agent, request as httpsRequest, type RequestOptions } from 'node:https'
import { resolve } from 'node:path'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { readServerJson, Refusal } from '../kernel/base/index.ts'
import { writeWhole, type Written } from './files.ts'
import { ServerRefusal } from './output.ts'
import type { Terminal } from './verb.ts'

export interface Sending {
  body?: unknown
  /** A body already in bytes; its Content-Type is given in headers. */
  bytes?: Uint8Array
  /** A body of our own making instead of JSON, e.g. a multipart upload. */
  stream?: { type: string; length: number; from: Readable }
  headers?: Readonly<Record<string, string>>
}

export interface Client {
  /** Sends and parses the JSON answer. Throws a ServerRefusal for any problem answer, a Refusal (exit 4) when no server answers. */
  json<T>(method: string, path: string, sending?: Sending): Promise<T>
  /** The answer as it comes, problems not thrown. The caller reads the stream to its end. */
  raw(method: string, path: string, sending?: Sending): Promise<IncomingMessage>
  text(method: string, path: string, sending?: Sending): Promise<string>
  /** Saves the answer as a file, whole or not at all; `accept` may still refuse it by throwing. */
  save(method: string, path: string, out: string, options?: Sending & { accept?: (written: Written) => void }): Promise<Written>
  close(): void
}

interface Settings {
  url: URL
  ca: string | null
  token: string | null
}

/** Reads SEALBOOK_URL, SEALBOOK_CA_FILE and SEALBOOK_TOKEN_FILE; the first two default to HOME/run/server.json of the running server. */
function settingsOf(terminal: Terminal): Settings {
  const { env } = terminal
  const running = readServerJson(resolve(env['SEALBOOK_HOME'] || './data'))
  const address = env['SEALBOOK_URL'] || running?.url
  if (!address) {
    throw new Refusal('server-none', terminal.say('No server is running in this home: start it with `npm start`, or set SEALBOOK_URL and SEALBOOK_CA_FILE.', '此目录没有正在运行的服务器：请先运行 `npm start`，或设置 SEALBOOK_URL 与 SEALBOOK_CA_FILE。'), 4)
  }
  const url = URL.parse(address)
  if (url?.protocol !== 'https:') throw new Refusal('config-invalid', terminal.say('SEALBOOK_URL must be an https:// address.', 'SEALBOOK_URL 必须是 https:// 地址。'), 2)
  // Without a CA file of ours (a server with a public certificate) Node's own roots decide; verification is never off.
  const caFile = env['SEALBOOK_CA_FILE'] || running?.caFile
  return { url, ca: caFile ? readGiven(terminal, 'SEALBOOK_CA_FILE', caFile, 2) : null, token: tokenOf(terminal) }
}

function readGiven(terminal: Terminal, name: string, path: string, exitCode: 2 | 3): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw new Refusal('config-invalid', terminal.say(`${name} cannot be read; correct its path or its rights.`, `无法读取 ${name} 指定的文件；请检查路径和权限。`), exitCode, error)
  }
}

function tokenOf(terminal: Terminal): string | null {
  const path = terminal.env['SEALBOOK_TOKEN_FILE']
  if (!path) return null
  const token = (readGiven(terminal, 'SEALBOOK_TOKEN_FILE', path, 3).split('\n')[0] ?? '').trim()
  if (!/^sbk_[A-Za-z0-9_-]+$/.test(token)) throw new Refusal('signed-out', terminal.say('The first line of SEALBOOK_TOKEN_FILE is not a token (sbk_…).', 'SEALBOOK_TOKEN_FILE 的第一行不是令牌（sbk_…）。'), 3)
  return token
}

/** Node's names for a chain it does not trust; anything else about the socket means that nobody answers. */
const UNTRUSTED = /^(?:UNABLE_TO|SELF_SIGNED|DEPTH_ZERO|CERT_|ERR_TLS_CERT|HOSTNAME_MISMATCH)/

function unreachable(terminal: Terminal, error: unknown): Refusal {
  const code = (error as NodeJS.ErrnoException).code ?? ''
  if (UNTRUSTED.test(code)) {
    return new Refusal('server-untrusted', terminal.say(`The server's certificate is not the one expected (${code}): give its ca.crt in SEALBOOK_CA_FILE. Nothing was sent.`, `服务器证书不受信任（${code}）：请用 SEALBOOK_CA_FILE 指定其 ca.crt。未发送任何内容。`), 4, error)
  }
  return new Refusal('server-none', terminal.say(`No server answers (${code || 'closed'}): start it with \`npm start\`, or correct SEALBOOK_URL.`, `服务器没有响应（${code || 'closed'}）：请先运行 \`npm start\`，或检查 SEALBOOK_URL。`), 4, error)
}

/** The HTTPS client of the running server. `anonymous` lets a call go without a token, which everything else needs. */
export function openClient(terminal: Terminal, options: { anonymous?: boolean } = {}): Client {
  const settings = settingsOf(terminal)
  if (!settings.token && !options.anonymous) {
    throw new Refusal(
      'signed-out',
      terminal.say(
        'Set SEALBOOK_TOKEN_FILE to a file whose first line is a token: `sealbook init --token-file FILE` writes the owner\'s, `sealbook token create` makes others.',
        '请将 SEALBOOK_TOKEN_FILE 设为首行是令牌的文件：`sealbook init --token-file FILE` 会写入所有者令牌，`sealbook token create` 可创建其他令牌。',
      ),
      3,
    )
  }
  const agent = new Agent({ keepAlive: true, maxSockets: 4, minVersion: 'TLSv1.3', ...(settings.ca ? { ca: settings.ca } : {}) })
  const raw: Client['raw'] = (method, path, sending = {}) => send(terminal, settings, agent, { method, path, sending })
  return {
    raw,
    async json<T>(method: string, path: string, sending?: Sending) {
      const text = await bodyOf(terminal, await raw(method, path, sending))
      return (text === '' ? null : JSON.parse(text)) as T // the contract's shape for this path; the server validates, not the client
    },
    text: async (method, path, sending) => bodyOf(terminal, await raw(method, path, sending)),
    save: async (method, path, out, { accept, ...sending } = {}) => saveAnswer(terminal, await raw(method, path, sending), out, accept),
    close: () => agent.destroy(),
  }
}

function headersOf(terminal: Terminal, settings: Settings, sending: Sending, json: string | null): OutgoingHttpHeaders {
  return {
    Accept: 'application/json, application/problem+json, */*',
    'Accept-Language': terminal.locale,
    ...(settings.token ? { Authorization: `Bearer ${settings.token}` } : {}),
    ...(json === null ? {} : { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(json) }),
    ...(sending.stream ? { 'Content-Type': sending.stream.type, 'Content-Length': sending.stream.length } : {}),
    ...sending.headers,
  }
}

interface Request {
  method: string
  path: string
  sending: Sending
}

function send(terminal: Terminal, settings: Settings, agent: Agent, { method, path, sending }: Request): Promise<IncomingMessage> {
  const json = sending.body === undefined ? null : JSON.stringify(sending.body)
  const target = new URL(path.startsWith('/api/') ? path : `/api/v1${path}`, settings.url)
  const options: RequestOptions = { method, agent, headers: headersOf(terminal, settings, sending, json) }
  return new Promise((resolveAnswer, reject) => {
    const request = httpsRequest(target, options, resolveAnswer)
    request.on('error', (error) => reject(unreachable(terminal, error)))
    if (!sending.stream) return void request.end(json ?? sending.bytes)
    // A server that refuses an upload may answer and close before it was sent whole: the answer counts, not the broken pipe.
    pipeline(sending.stream.from, request).catch((error: NodeJS.ErrnoException) => {
      if (!['EPIPE', 'ECONNRESET', 'ERR_STREAM_PREMATURE_CLOSE'].includes(error.code ?? '')) reject(error)
    })
  })
}

async function collect(answer: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of answer) chunks.push(chunk as Buffer) // no encoding is set, so chunks are Buffers
  return Buffer.concat(chunks).toString()
}

async function bodyOf(terminal: Terminal, answer: IncomingMessage): Promise<string> {
  let text: string
  try {
    text = await collect(answer)
  } catch (error) {
    throw unreachable(terminal, error)
  }
  if ((answer.statusCode ?? 0) >= 400) throw refusalOf(answer, text)
  return text
}

async function saveAnswer(terminal: Terminal, answer: IncomingMessage, out: string, accept: ((written: Written) => void) | undefined): Promise<Written> {
  if ((answer.statusCode ?? 0) >= 400) throw refusalOf(answer, await collect(answer))
  try {
    return await writeWhole(out, answer, accept)
  } catch (error) {
    if (error instanceof Refusal) throw error
    const code = (error as NodeJS.ErrnoException).code ?? ''
    const lost = code === 'ECONNRESET' || code === 'ERR_STREAM_PREMATURE_CLOSE'
    if (lost) throw new Refusal('download-broken', terminal.say('The server broke off: nothing was written; try again, and look into its log if it lasts.', '服务器中断了传输：未写入任何文件；请重试，若仍出现请查看服务器日志。'), 1, error)
    throw new Refusal('file-unwritable', terminal.say(`The file cannot be written (${code}): choose another place; nothing was left behind.`, `无法写入文件（${code}）：请换一个位置；未留下任何内容。`), 1, error)
  }
}

/** The ServerRefusal of an answer that is a problem, whatever stands between may have put in its place. */
export function refusalOf(answer: IncomingMessage, text: string): ServerRefusal {
  const status = answer.statusCode ?? 0
  try {
    const problem: unknown = JSON.parse(text)
    if (typeof problem === 'object' && problem !== null && 'code' in problem) return new ServerRefusal(problem as Record<string, unknown>, status)
  } catch {
    // not ours: a proxy's page
  }
  return new ServerRefusal({ type: 'about:blank', code: `http-${status}`, title: answer.statusMessage ?? '', status, detail: 'Something before the server refused the request.' }, status)
}
