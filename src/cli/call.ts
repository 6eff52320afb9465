import type { IncomingMessage } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { openClient, refusalOf } from './client.ts'
import { readNamed } from './files.ts'
import { sentenceOf } from './output.ts'
import { usageError } from './arguments.ts'
import type { Given, Outcome, Terminal, Verb } from './verb.ts'

async function bodyOf(terminal: Terminal, path: string | undefined): Promise<Buffer | null> {
  if (path === undefined) return null
  return path === '-' ? buffer(process.stdin) : readNamed(terminal, '--body', path)
}

function headersOf(terminal: Terminal, given: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    given.map((line) => {
      const match = /^([A-Za-z0-9-]+):\s*([\x20-\x7e]*)$/.exec(line)
      if (!match) throw usageError(terminal, call, "--header is written 'Name: value'.", "--header 写作 'Name: value'。")
      return [match[1] ?? '', match[2] ?? '']
    }),
  )
}

const isJson = (answer: IncomingMessage): boolean => /\bjson\b/.test(answer.headers['content-type'] ?? '')

/** JSON stays JSON; text becomes {"text"}; other bytes go out untouched without --json and as {"base64"} with it. */
function outcomeOf(answer: IncomingMessage, bytes: Buffer): Outcome {
  if ((answer.statusCode ?? 0) >= 400) {
    const refusal = refusalOf(answer, bytes.toString())
    return { document: null, text: sentenceOf(refusal.problem), findings: { exitCode: refusal.exitCode, problem: refusal.problem } }
  }
  if (bytes.length === 0) return { document: null, text: '' }
  if (isJson(answer)) {
    const document: unknown = JSON.parse(bytes.toString())
    return { document, text: JSON.stringify(document, null, 2) }
  }
  const isText = (answer.headers['content-type'] ?? '').startsWith('text/')
  return { document: isText ? { text: bytes.toString() } : { base64: bytes.toString('base64') }, text: bytes }
}

async function run(terminal: Terminal, given: Given): Promise<Outcome> {
  const method = given.positional(0).toUpperCase()
  const path = given.positional(1)
  if (!/^[A-Z]{3,7}$/.test(method) || !path.startsWith('/')) throw usageError(terminal, call, 'METHOD is a word such as GET and PATH starts with a slash.', 'METHOD 是 GET 之类的方法名，PATH 以斜杠开头。')
  const headers = headersOf(terminal, given.all('header'))
  const body = await bodyOf(terminal, given.maybe('body'))
  const client = openClient(terminal, { anonymous: true })
  try {
    const typed = Object.keys(headers).some((h) => h.toLowerCase() === 'content-type')
    const length = body ? { 'Content-Length': String(body.length), ...(typed ? {} : { 'Content-Type': 'application/json' }) } : {}
    const answer = await client.raw(method, path, { headers: { ...length, ...headers }, ...(body ? { bytes: body } : {}) })
    return outcomeOf(answer, await buffer(answer))
  } finally {
    client.close()
  }
}

const call: Verb = {
  name: 'call',
  says: ['send any request of the REST contract and print the answer', '发送任意 REST 请求并打印结果'],
  positionals: ['METHOD', 'PATH'],
  flags: {
    body: { value: 'FILE', says: ['body of the request; - reads stdin', '请求正文文件；- 表示标准输入'] },
    header: { value: "'K: V'", multiple: true, says: ['a header; may be repeated', '请求头，可重复'] },
  },
  run,
}

export const verbs: readonly Verb[] = [call]
