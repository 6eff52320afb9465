import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { SMTPServer } from 'smtp-server'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runCli } from '../harness/cli.ts'
import { init, makePlace, TestServer, type CallOptions, type Person } from '../harness/server.ts'

// Mail of notifications, to a mail server of somebody else's making.

interface Received {
  from: string
  to: string[]
  user: string | undefined
  raw: string
}

const SECRET = 'p%40ss-of-the-mail-server'
const received: Received[] = []
/** What the mail server answers the next messages with, before it takes them. */
const refusals: { code: number; text: string }[] = []

const mailServer = new SMTPServer({
  authOptional: false,
  hideSTARTTLS: true,
  allowInsecureAuth: true,
  onAuth: (auth, _session, done) => (auth.username === 'sealbook' && auth.password === 'p@ss-of-the-mail-server' ? done(null, { user: auth.username }) : done(new Error('no'))),
  onRcptTo(_address, _session, done) {
    const refusal = refusals.shift()
    done(refusal ? Object.assign(new Error(refusal.text), { responseCode: refusal.code }) : null)
  },
  onData(stream, session, done) {
    const chunks: Buffer[] = []
    stream.on('data', (c: Buffer) => chunks.push(c))
    stream.on('end', () => {
      const { mailFrom, rcptTo } = session.envelope
      received.push({ from: mailFrom ? mailFrom.address : '', to: rcptTo.map((r) => r.address), user: typeof session.user === 'string' ? session.user : undefined, raw: Buffer.concat(chunks).toString() })
      done()
    })
  },
})
mailServer.on('error', () => undefined)

let server: TestServer
let rep: Person
let given: Person

beforeAll(async () => {
  const listening = mailServer.listen(0, '127.0.0.1')
  await once(listening, 'listening')
  const { port } = listening.address() as AddressInfo
  const place = makePlace()
  const file = join(place.folder, 'smtp.url')
  writeFileSync(file, `smtp://sealbook:${SECRET}@127.0.0.1:${port}\n`, { mode: 0o600 })
  const withMail = { ...place, env: { ...place.env, SEALBOOK_SMTP_URL_FILE: file, SEALBOOK_MAIL_FROM: 'sealbook@example.com', SEALBOOK_LOG_LEVEL: 'debug' } }
  server = new TestServer(withMail, await init(withMail))
  await server.start()
  rep = await server.addPerson('rep@example.com', 'rep')
  given = await server.addPerson('given@example.com', 'rep')
}, 120_000)
afterAll(async () => {
  await server?.close()
  await new Promise<void>((resolve) => mailServer.close(() => resolve()))
})

const as = (p: Person): CallOptions => ({ token: p.token })

async function tasksFor(assignee: Person, n: number): Promise<void> {
  const contact = await server.call('POST', '/contacts', { fullName: 'Wilhelmina Unmailable' }, as(rep))
  for (let i = 0; i < n; i++) {
    const made = await server.call('POST', '/activities', { recordKind: 'contact', recordId: contact.body.id, kind: 'task', title: `Unmailable title ${i}`, assigneeId: assignee.id }, as(rep))
    expect(made.status, made.text).toBe(201)
  }
}

async function mails(n: number): Promise<Received[]> {
  for (let i = 0; i < 180 && received.length < n; i++) await sleep(500)
  return received.splice(0)
}

/** The text of a message whose body is base64, quoted-printable or plain. */
function textOf(raw: string): string {
  const at = raw.indexOf('\r\n\r\n')
  const [head, body] = [raw.slice(0, at), raw.slice(at + 4)]
  if (/Content-Transfer-Encoding: base64/i.test(head)) return Buffer.from(body, 'base64').toString()
  if (!/quoted-printable/i.test(head)) return body
  return Buffer.from(body.replace(/=\r\n/g, '').replace(/=([0-9A-F]{2})/g, (_m, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))), 'latin1').toString()
}

describe('a mail', () => {
  test('says how much waits and where, and nothing of what or whom it is about', async () => {
    await tasksFor(given, 3)
    const [mail, ...more] = await mails(1)
    expect(more).toEqual([])
    expect(mail).toMatchObject({ from: 'sealbook@example.com', to: ['given@example.com'], user: 'sealbook' })
    const text = textOf(mail!.raw)
    expect(text).toContain('3 tasks were given to you.')
    expect(text).toContain(server.url)
    expect(mail!.raw).toContain('Subject: Sealbook: 3 new notifications')
    expect(mail!.raw).toContain('Auto-Submitted: auto-generated')
    for (const secret of ['Unmailable', 'Wilhelmina', rep.id, rep.email]) expect(`${mail!.raw}${text}`).not.toContain(secret)
  }, 120_000)

  test('is sent again when the mail server could not take it, and once', async () => {
    refusals.push({ code: 451, text: 'try later' })
    await tasksFor(given, 1)
    const [mail, ...more] = await mails(1)
    expect(more).toEqual([])
    expect(textOf(mail!.raw)).toContain('1 task was given to you.')
    await sleep(20_000)
    expect(received).toEqual([])
  }, 180_000)

  test('to a mailbox that is no more is not sent again, and keeps nobody else from theirs', async () => {
    refusals.push({ code: 550, text: 'no such mailbox' })
    await tasksFor(given, 1)
    await sleep(18_000)
    expect([received, refusals]).toEqual([[], []])
    await tasksFor(given, 2)
    expect((await mails(1)).map((m) => textOf(m.raw))).toEqual([expect.stringContaining('2 tasks were given to you.')])
  }, 120_000)

  test('is in the language of whoever reads it', async () => {
    const session = await server.signIn(given.email, given.password)
    expect((await server.call('PATCH', '/me', { locale: 'zh-CN' }, session)).status).toBe(200)
    await tasksFor(given, 2)
    const [mail] = await mails(1)
    expect(textOf(mail!.raw)).toContain('有 2 项任务分配给您。')
  }, 120_000)

  test('is not sent to whoever has switched it off, nor to whoever was disabled', async () => {
    const off = await server.addPerson('off@example.com', 'rep')
    const gone = await server.addPerson('gone@example.com', 'rep')
    await server.call('PATCH', '/me/notifications', { mail: false }, as(off))
    await tasksFor(off, 1)
    await tasksFor(gone, 1)
    expect((await server.call('POST', `/users/${gone.id}/disable`, {})).status).toBe(200)
    await tasksFor(given, 1)
    await sleep(20_000)
    // `gone` may have had a round between the task and the disabling; `off` never.
    expect((await mails(1)).map((m) => m.to[0]).filter((to) => to !== 'gone@example.com')).toEqual(['given@example.com'])
    expect((await server.call('GET', '/notifications', undefined, as(off))).body.unread).toBe(1)
  }, 120_000)

  test('leaves no trace of the address of the mail server, nor of the password', async () => {
    const log = await import('node:fs').then((fs) => fs.readFileSync(join(server.place.home, 'log', 'sealbook.log'), 'utf8'))
    expect(log).toContain('the mail server is asked again later')
    for (const text of [log, server.said]) for (const secret of [SECRET, 'p@ss-of-the-mail-server', 'sealbook@example.com', 'given@example.com']) expect(text).not.toContain(secret)
  })
})

describe('the address of the mail server', () => {
  test('that is none is refused without a word of it', async () => {
    for (const line of ['http://user:hush-hush@mail.example.com', 'hush-hush', 'smtp://user:hush-hush@mail.example.com/path', '']) {
      const place = makePlace()
      const file = join(place.folder, 'smtp.url')
      writeFileSync(file, `${line}\n`)
      const env = { ...place.env, SEALBOOK_SMTP_URL_FILE: file, SEALBOOK_MAIL_FROM: 'sealbook@example.com' }
      await init({ ...place, env })
      const done = await runCli(['start', '--json'], env)
      expect([done.code, done.json]).toEqual([2, { problem: expect.objectContaining({ code: 'config-invalid' }) }])
      expect(`${done.stdout}${done.stderr}`).not.toContain('hush-hush')
    }
  }, 120_000)

  test('needs a sender', async () => {
    const place = makePlace({ SEALBOOK_SMTP_URL_FILE: '/nonexistent' })
    const done = await runCli(['start', '--json'], place.env)
    expect(done.code).toBe(2)
    expect(`${done.stdout}${done.stderr}`).toContain('SEALBOOK_MAIL_FROM')
  })
})
