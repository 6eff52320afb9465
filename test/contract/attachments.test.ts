import { createHash, randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import sharp from 'sharp'
import { docxOf, multipartOf, zipOf } from '../build/files.ts'
import { startServer, type Answer, type CallOptions, type Json, type Person, type TestServer } from '../harness/server.ts'
import { expectProblem, UUID } from './shapes.ts'

let server: TestServer
let rep: Person
let contact: string

const as = (p: Person): CallOptions => ({ token: p.token })
const PDF = Buffer.concat([Buffer.from('%PDF-1.7\n'), randomBytes(70_000)])

/** Uploads one file; `fields` stand before it. */
function put(fields: Record<string, string>, name: string, bytes: Uint8Array, options: CallOptions & { type?: string } = {}): Promise<Answer> {
  const { body, headers } = multipartOf(fields, { name, bytes, ...(options.type ? { type: options.type } : {}) })
  return server.call('POST', '/attachments', body, { ...options, headers: { ...headers, ...options.headers } })
}
const on = (id: string): Record<string, string> => ({ record: `contacts/${id}` })

const get = (path: string, headers: Record<string, string> = {}): Promise<Answer> => server.call('GET', path, undefined, { headers })

async function until<T>(look: () => Promise<T | null>): Promise<T> {
  const end = Date.now() + 30_000
  for (;;) {
    const found = await look()
    if (found !== null) return found
    if (Date.now() > end) throw new Error('it did not come in time')
    await new Promise((r) => setTimeout(r, 50))
  }
}

beforeAll(async () => {
  server = await startServer({ env: { SEALBOOK_ATTACHMENT_MB: '2' } })
  rep = await server.addPerson('rep@example.com', 'rep')
  contact = (await server.call('POST', '/contacts', { fullName: '王小明' })).body.id
})
afterAll(() => server.close())

describe('a file put on a record', () => {
  let made: Json

  test('answers a RECORD with what the bytes say', async () => {
    const answer = await put(on(contact), '..\\合同\u202e 2026.pdf', PDF, { type: 'image/png' })
    expect(answer.status).toBe(201)
    made = answer.body
    expect(made).toMatchObject({
      id: expect.stringMatching(UUID), version: 1, recordKind: 'contact', recordId: contact, name: '合同 2026.pdf', mediaType: 'application/pdf', size: PDF.length,
      sha256: createHash('sha256').update(PDF).digest('hex'), scan: 'none', masks: {}, can: { edit: expect.arrayContaining(['name']), delete: true },
    })
    expect(made.can.edit).not.toContain('mediaType')
    expect(answer.headers['etag']).toBe('"1"')
  })

  test('its content comes back to the byte, guarded against being run, framed, guessed at or kept', async () => {
    const { status, headers, bytes } = await get(`/attachments/${made.id}/content`)
    expect(status).toBe(200)
    expect(bytes.equals(PDF)).toBe(true)
    expect(headers).toMatchObject({
      'content-type': 'application/pdf', 'content-length': String(PDF.length), 'accept-ranges': 'bytes', 'cache-control': 'no-store', 'x-content-type-options': 'nosniff',
      'content-disposition': "attachment; filename=\"__ 2026.pdf\"; filename*=UTF-8''%E5%90%88%E5%90%8C%202026.pdf",
    })
    expect(headers['content-security-policy']).toMatch(/default-src 'none'.*sandbox$/)
  })

  test.each([
    ['bytes=0-9', 0, 10],
    ['bytes=16380-16390', 16_380, 16_391],
    ['bytes=69000-', 69_000, PDF.length],
    ['bytes=-5', PDF.length - 5, PDF.length],
  ])('Range %s: 206 with that part', async (range, start, end) => {
    const { status, headers, bytes } = await get(`/attachments/${made.id}/content`, { Range: range })
    expect(status).toBe(206)
    expect(headers['content-range']).toBe(`bytes ${start}-${end - 1}/${PDF.length}`)
    expect(bytes.equals(PDF.subarray(start, end))).toBe(true)
  })

  test('a range outside is 416 with the size; several, or for another content, are answered with the whole', async () => {
    const outside = await server.call('GET', `/attachments/${made.id}/content`, undefined, { headers: { Range: 'bytes=90000-' } })
    expectProblem(outside, 416, 'range-unsatisfiable')
    expect(outside.headers['content-range']).toBe(`bytes */${PDF.length}`)
    expect((await get(`/attachments/${made.id}/content`, { Range: 'bytes=0-1,5-6' })).status).toBe(200)
    expect((await get(`/attachments/${made.id}/content`, { Range: 'bytes=0-1', 'If-Range': '"other"' })).status).toBe(200)
    expect((await get(`/attachments/${made.id}/content`, { Range: 'bytes=0-1', 'If-Range': `"${made.id}"` })).status).toBe(206)
  })

  test('is found by its name, shown among the relations of its record, and told in the timeline with each download', async () => {
    const found = await server.call('POST', '/attachments/search', { text: '合同', where: { field: 'recordId', op: 'eq', value: contact } })
    expect(found.body.items.map((i: Json) => i.id)).toEqual([made.id])
    const relations = await server.call('GET', `/contacts/${contact}/relations`)
    expect(relations.body.items).toContainEqual({ entity: 'attachment', id: made.id, field: 'recordId', direction: 'from' })
    const actions = (await server.call('GET', `/attachments/${made.id}/timeline`)).body.items.map((i: Json) => i.action)
    expect(actions).toContain('attachment.created')
    expect(actions.filter((a: string) => a === 'attachment.downloaded').length).toBeGreaterThan(4)
  })

  test('its name is changed and cleaned; its type, size and record are nobody\'s to write', async () => {
    const patch = (body: object, version: number): Promise<Answer> => server.call('PATCH', `/attachments/${made.id}`, body, { headers: { 'If-Match': `"${version}"` } })
    expect((await patch({ name: 'a/b/报价.exe' }, 1)).body).toMatchObject({ name: '报价.exe', version: 2 })
    expect((await get(`/attachments/${made.id}/content`)).headers['content-disposition']).toContain('filename="__.exe.pdf"')
    for (const body of [{ mediaType: 'text/html' }, { size: 1 }, { sha256: 'x' }, { scan: 'clean' }, { recordId: contact }, { recordKind: 'deal' }]) expectProblem(await patch(body, 2), 400, 'invalid')
  })

  test('deleted it is gone, and comes back with its content', async () => {
    expect((await server.call('DELETE', `/attachments/${made.id}`, undefined, { headers: { 'If-Match': '"2"' } })).status).toBe(200)
    expectProblem(await server.call('GET', `/attachments/${made.id}/content`), 404, 'not-found')
    expect((await server.call('POST', `/attachments/${made.id}/restore`)).status).toBe(200)
    expect((await get(`/attachments/${made.id}/content`)).bytes.equals(PDF)).toBe(true)
  })
})

describe('what is taken', () => {
  test('kind and id apart, a name apart, and one byte', async () => {
    const answer = await put({ recordKind: 'contact', recordId: contact, name: '备注.txt' }, 'x.bin', Buffer.from('a'))
    expect(answer.body).toMatchObject({ name: '备注.txt', mediaType: 'text/plain', size: 1 })
    expect((await get(`/attachments/${answer.body.id}/content`)).bytes.toString()).toBe('a')
  })

  test('a document whose kind only its inside tells', async () => {
    expect((await put(on(contact), '合同.docx', docxOf())).body).toMatchObject({ mediaType: 'application/vnd.openxmlformats-officedocument.wordprocessingml.document' })
    expect((await put(on(contact), '合同.docx', zipOf({ 'a.txt': 'a' }))).body).toMatchObject({ mediaType: 'application/zip' })
  })

  test.each([
    ['a program', Buffer.from('MZ\u0090\u0000\u0003'), 'photo.jpg', 'image/jpeg'],
    ['HTML called text', Buffer.from('<html><script>alert(1)</script>'), 'notes.txt', 'text/plain'],
    ['SVG called PNG', Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>'), 'logo.png', 'image/png'],
    ['a document with macros', docxOf({ 'word/vbaProject.bin': 'x' }), 'offer.docx', undefined],
    ['an archive with a program', zipOf({ 'a.exe': 'MZ' }), 'a.zip', undefined],
    ['text with binary far behind', Buffer.concat([Buffer.alloc(200_000, 'a'), Buffer.from([0, 1, 2])]), 'a.txt', 'text/plain'],
    ['nothing at all', Buffer.alloc(0), 'a.txt', 'text/plain'],
  ])('%s is refused', async (_what, bytes, name, type) => expectProblem(await put(on(contact), name, bytes, type ? { type } : {}), 415, 'attachment-type-refused'))

  test('too large is refused, said or not said beforehand', async () => {
    const large = Buffer.concat([Buffer.from('%PDF-1.7\n'), Buffer.alloc(2 * 1024 * 1024)])
    expectProblem(await put(on(contact), 'a.pdf', large), 413, 'attachment-too-large')
    const { body, headers } = multipartOf(on(contact), { name: 'a.pdf', bytes: large })
    expectProblem(await server.call('POST', '/attachments', Readable.from([body]), { headers }), 413, 'attachment-too-large')
    expect((await put(on(contact), 'a.pdf', large.subarray(0, 2 * 1024 * 1024))).status).toBe(201)
  })

  test('what is not said, or said twice', async () => {
    expectProblem(await put({}, 'a.pdf', PDF), 400, 'invalid')
    expectProblem(await put({ record: `nonsense/${contact}` }, 'a.pdf', PDF), 400, 'invalid')
    expectProblem(await put({ record: `pipelines/${contact}` }, 'a.pdf', PDF), 400, 'invalid')
    expectProblem(await put({ record: 'contacts/1' }, 'a.pdf', PDF), 400, 'invalid')
    expectProblem(await put({ ...on(contact), secret: 'x' }, 'a.pdf', PDF), 400, 'invalid')
    expectProblem(await put(on('019f0000-0000-7000-8000-000000000000'), 'a.pdf', PDF), 400, 'invalid')
    const nothing = multipartOf(on(contact), null)
    expectProblem(await server.call('POST', '/attachments', nothing.body, { headers: nothing.headers }), 400, 'invalid')
    expectProblem(await server.call('POST', '/attachments', { record: `contacts/${contact}` }), 415, 'media-type-unsupported')
    const count = async (): Promise<number> => (await server.call('POST', '/attachments/search', { count: true, limit: 1 })).body.count
    const before = await count()
    const { body, headers } = multipartOf(on(contact), { name: 'a.pdf', bytes: PDF })
    const twice = Buffer.concat([body.subarray(0, body.length - 4), Buffer.from('\r\nContent-Disposition: form-data; name="late"\r\n\r\nx\r\n'), Buffer.from(`--${headers['Content-Type']!.split('=')[1]}--\r\n`)])
    expectProblem(await server.call('POST', '/attachments', twice, { headers }), 400, 'invalid')
    expect(await count()).toBe(before)
  })
})

describe('previews', () => {
  const picture = async (format: 'png' | 'jpeg' | 'webp' | 'gif' | 'tiff' | 'avif'): Promise<Buffer> => sharp({ create: { width: 1600, height: 800, channels: 3, background: '#b22222' } }).toFormat(format).withExif({ IFD0: { Artist: 'GPS-canary' } }).toBuffer()

  test.each(['png', 'jpeg', 'webp', 'gif', 'tiff', 'avif'] as const)('a %s gets a small picture, without what cameras write into it', async (format) => {
    const { id } = (await put(on(contact), `photo.${format}`, await picture(format))).body
    const small = await until(async () => {
      const answer = await get(`/attachments/${id}/preview`)
      return answer.status === 200 ? answer : null
    })
    expect(small.headers).toMatchObject({ 'content-type': 'image/webp', 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' })
    expect(await sharp(small.bytes).metadata()).toMatchObject({ format: 'webp', width: 1024, height: 512 })
    expect(small.bytes.includes('GPS-canary')).toBe(false)
  })

  test('what is no picture, or does not open, has none', async () => {
    const broken = (await put(on(contact), 'broken.png', (await picture('png')).subarray(0, 400))).body.id
    const pdf = (await put(on(contact), 'a.pdf', PDF)).body.id
    const whole = (await put(on(contact), 'whole.png', await picture('png'))).body.id
    await until(async () => ((await server.call('GET', `/attachments/${whole}/preview`)).status === 200 ? true : null)) // the queue is worked in order
    for (const id of [broken, pdf]) expectProblem(await server.call('GET', `/attachments/${id}/preview`), 404, 'preview-none')
  })
})

describe('whoever does not see the record', () => {
  test('sees none of its files on any way, and puts none on it', async () => {
    const { id } = (await put(on(contact), '底价.pdf', PDF)).body
    for (const path of ['', '/content', '/preview', '/timeline', '/relations', `/why?user=${rep.id}`]) expectProblem(await server.call('GET', `/attachments/${id}${path}`, undefined, as(rep)), 404, 'not-found')
    expect((await server.call('POST', '/attachments/search', { count: true }, as(rep))).body).toMatchObject({ items: [], count: 0 })
    expect((await server.call('POST', '/attachments/search', { text: '底价' }, as(rep))).body.items).toEqual([])
    const foreign = await put(on(contact), 'a.pdf', PDF, as(rep))
    const absent = await put(on('019f0000-0000-7000-8000-000000000000'), 'a.pdf', PDF, as(rep))
    expectProblem(foreign, 400, 'invalid')
    expect(foreign.body.errors).toEqual(absent.body.errors)
  })
})
