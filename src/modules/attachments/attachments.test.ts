import { spawnSync } from 'node:child_process'
import { Readable as Stream } from 'node:stream'
import fc from 'fast-check'
import sharp from 'sharp'
import { describe, expect, test } from 'vitest'
import { cfbOf, docxOf, odtOf, xlsxOf, zipOf } from '../../../test/build/files.ts'
import { cfbType, zipType, type Readable } from './containers.ts'
import { DECODER_FLAGS, makePreview } from './preview.ts'
import { cleanName, contentDisposition, extensionOf, nameFor } from './names.ts'
import { rangeOf } from './ranges.ts'
import { sniff } from './sniff.ts'

const readable = (bytes: Buffer): Readable => ({ size: bytes.length, range: async (start, end) => bytes.subarray(start, end) })
const hex = (s: string): Buffer => Buffer.from(s, 'hex')

describe('names', () => {
  test.each([
    ['../../etc/passwd', 'passwd'],
    ['C:\\Users\\Wang\\合同.pdf', '合同.pdf'],
    ['invoice\u202efdp.exe', 'invoicefdp.exe'],
    ['zero\u200bwidth\ufeff.txt', 'zerowidth.txt'],
    ['a\r\nSet-Cookie: x=1.txt', 'aSet-Cookie_ x=1.txt'],
    ['a"b<c>d|e?f*g:h.txt', 'a_b_c_d_e_f_g_h.txt'],
    ['.htaccess', 'htaccess'],
    ['name. . .', 'name'],
    ['CON.txt', '_CON.txt'],
    ['', 'file'],
    ['..', 'file'],
    ['/', 'file'],
    ['\ud800broken.png', '\ufffdbroken.png'],
  ])('%j is kept as %j', (given, kept) => expect(cleanName(given)).toBe(kept))

  test('of any text: short enough, one line, no folder, and clean once is clean for good', () => {
    const nasty = fc.string({ unit: 'binary', maxLength: 400 })
    fc.assert(
      fc.property(nasty, (given) => {
        const name = cleanName(given)
        expect(cleanName(name)).toBe(name)
        expect(Buffer.byteLength(name)).toBeLessThanOrEqual(255)
        expect(name).toMatch(/^[^/\\"<>:|?*\p{Cc}\p{Bidi_Control}\p{Zl}\p{Zp}]+$/u)
        expect(name).not.toMatch(/^[. ]|[. ]$/)
      }),
      { numRuns: 2_000 },
    )
  })

  test('a long name keeps its end, and no character is cut in two', () => {
    const name = cleanName(`${'合'.repeat(200)}.docx`)
    expect(Buffer.byteLength(name)).toBeLessThanOrEqual(255)
    expect(name).toMatch(/^合+\.docx$/)
  })

  test('a file leaves under a name that ends as its content does', () => {
    expect(nameFor('photo.JPG', 'image/jpeg')).toBe('photo.JPG')
    expect(nameFor('photo.exe', 'image/jpeg')).toBe('photo.exe.jpg')
    expect(nameFor('run.bat', 'text/plain')).toBe('run.bat.txt')
    expect(nameFor('page.html', 'text/plain')).toBe('page.html.txt')
    expect(nameFor('没有后缀', 'application/pdf')).toBe('没有后缀.pdf')
    expect(Buffer.byteLength(nameFor('长'.repeat(85), 'application/pdf'))).toBeLessThanOrEqual(255)
    expect(extensionOf('a.tar.gz')).toBe('.gz')
  })

  test('Content-Disposition holds one name twice and nothing of a header', () => {
    expect(contentDisposition('合同 (final).pdf')).toBe("attachment; filename=\"__ (final).pdf\"; filename*=UTF-8''%E5%90%88%E5%90%8C%20%28final%29.pdf")
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (given) => {
        expect(contentDisposition(cleanName(given))).toMatch(/^attachment; filename="[^"\\%]*"; filename\*=UTF-8''[A-Za-z0-9!#$&+.^_`|~%-]+$/)
      }),
    )
  })
})

describe('types', () => {
  test.each([
    ['a JPEG', hex('ffd8ffe000104a464946'), 'image/jpeg'],
    ['a PNG', hex('89504e470d0a1a0a0000'), 'image/png'],
    ['a GIF', Buffer.from('GIF89a....'), 'image/gif'],
    ['a WebP', Buffer.from('RIFF....WEBPVP8 '), 'image/webp'],
    ['an AVIF', Buffer.from('\0\0\0\x20ftypavif'), 'image/avif'],
    ['an iPhone picture', Buffer.from('\0\0\0\x20ftypheic'), 'image/heic'],
    ['a PDF', Buffer.from('%PDF-1.7\n'), 'application/pdf'],
    ['an RTF', Buffer.from('{\\rtf1\\ansi hello}'), 'application/rtf'],
    ['a recorded call', Buffer.from('#!AMR\n\u0004'), 'audio/amr'],
    ['an MP4', Buffer.from('\0\0\0\x20ftypisom'), 'video/mp4'],
  ])('%s is told by its bytes, whatever it is called', (_what, bytes, type) => expect(sniff(bytes, 'something.exe')).toEqual({ type }))

  test.each([
    ['notes', Buffer.from('拜访客户，约下周二。'), 'a.txt', 'text/plain'],
    ['notes in GB18030', hex('b0ddb7c3bfcdbba7'), 'a.txt', 'text/plain'],
    ['notes in UTF-16', Buffer.from('\ufeff拜访客户', 'utf16le'), 'a.txt', 'text/plain'],
    ['a table', Buffer.from('\ufeff姓名,电话\n王,138'), 'b.CSV', 'text/csv'],
    ['a card', Buffer.from('BEGIN:VCARD\r\nFN:Wang'), 'c.vcf', 'text/vcard'],
    ['an address in angle brackets', Buffer.from('From: Bob <style@example.com>'), 'd.txt', 'text/plain'],
    ['a batch file, as text', Buffer.from('@echo off\r\nformat c:'), 'e.bat', 'text/plain'],
  ])('%s: text', (_what, bytes, name, text) => expect(sniff(bytes, name)).toEqual({ text }))

  test.each([
    ['a Windows program', Buffer.concat([Buffer.from('MZ'), Buffer.alloc(60), Buffer.from('PE\0\0')])],
    ['a Linux program', hex('7f454c4602010100000000000000000002003e00')],
    ['a Mac program', hex('cffaedfe0700000103000000')],
    ['a Java class', hex('cafebabe00000034')],
    ['WebAssembly', hex('0061736d01000000')],
    ['a Windows link', hex('4c0000000114020000000000c000000000000046')],
    ['a shell script', Buffer.from('#!/bin/sh\nrm -rf /')],
    ['HTML', Buffer.from('<!DOCTYPE html><p>')],
    ['HTML after a comment and spaces', Buffer.from(' \n<!-- x --><script>alert(1)</script>')],
    ['HTML after words', Buffer.from('Dear all, <script src=x></script>')],
    ['HTML in UTF-16', Buffer.from('\ufeff<html><script>', 'utf16le')],
    ['HTML in big-endian UTF-16', Buffer.from('\ufeff<html>', 'utf16le').swap16()],
    ['SVG', Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>')],
    ['SVG behind an XML declaration', Buffer.from('\ufeff<?xml version="1.0"?><svg/>')],
    ['PHP', Buffer.from('hello <?php system($_GET[0]);')],
    ['nothing', Buffer.alloc(0)],
    ['bytes of no kind', hex('0001020304050607')],
  ])('%s is refused, called a picture or not', (_what, bytes) => {
    expect(sniff(bytes, 'photo.jpg')).toBeNull()
    expect(sniff(bytes, 'notes.txt')).toBeNull()
  })
})

const OFFICE = 'application/vnd.openxmlformats-officedocument.'

describe('containers', () => {
  test.each([
    ['a letter', docxOf(), `${OFFICE}wordprocessingml.document`],
    ['a sheet', xlsxOf(), `${OFFICE}spreadsheetml.sheet`],
    ['an OpenDocument text', odtOf(), 'application/vnd.oasis.opendocument.text'],
    ['an archive', zipOf({ 'a.txt': 'a', '照片/b.jpg': 'b' }), 'application/zip'],
    ['an empty archive', zipOf({}), 'application/zip'],
  ])('%s: its directory says what it is', async (_what, bytes, type) => {
    expect(sniff(bytes.subarray(0, 4096), 'x')).toEqual({ container: 'zip' })
    expect(await zipType(readable(bytes))).toBe(type)
  })

  test.each([
    ['a letter with macros', docxOf({ 'word/vbaProject.bin': 'x' })],
    ['a sheet with controls', xlsxOf({ 'xl/activeX/activeX1.bin': 'x' })],
    ['an archive with a program', zipOf({ 'invoice.pdf.EXE': 'MZ' })],
    ['an archive with a program below', zipOf({ 'a\\b\\run.vbs': 'x' })],
    ['Java', zipOf({ 'META-INF/MANIFEST.MF': 'x', 'A.class': 'x' })],
    ['Android', zipOf({ 'AndroidManifest.xml': 'x', 'classes.dex': 'x' })],
    ['an archive cut off', zipOf({ 'a.txt': 'a'.repeat(1000) }).subarray(0, 600)],
    ['a directory that lies about its length', lying()],
    ['an archive with a link', linked()],
  ])('%s is refused', async (_what, bytes) => expect(await zipType(readable(bytes))).toBeNull())

  test('a picture before an archive is a picture, and an archive behind a picture does not make it one', () => {
    expect(sniff(Buffer.concat([Buffer.from('GIF89a'), zipOf({ 'run.exe': 'x' })]), 'a.gif')).toEqual({ type: 'image/gif' })
  })

  test.each([
    [['WordDocument', '1Table'], 'application/msword'],
    [['a', 'b', 'c', 'd', 'e', 'f', 'Workbook'], 'application/vnd.ms-excel'],
    [['PowerPoint Document'], 'application/vnd.ms-powerpoint'],
    [['__properties_version1.0'], 'application/vnd.ms-outlook'],
    [['EncryptedPackage', 'EncryptionInfo'], 'application/x-cfb'],
  ])('an old office document with %j', async (streams, type) => {
    expect(sniff(cfbOf(streams), 'x')).toEqual({ container: 'cfb' })
    expect(await cfbType(readable(cfbOf(streams)))).toBe(type)
  })

  test.each([
    ['an installer', cfbOf(['䡀㬿䏲䐸䖱', '!_StringData'])],
    ['a document with macros', cfbOf(['WordDocument', '1Table', 'Data', 'Macros', 'VBA'])],
    ['one cut off', cfbOf(['WordDocument']).subarray(0, 1000)],
    ['one whose directory goes round in circles', circle()],
  ])('%s is refused', async (_what, bytes) => expect(await cfbType(readable(bytes))).toBeNull())

  test('no bytes make it throw or hang', async () => {
    await fc.assert(
      fc.asyncProperty(fc.constantFrom('zip', 'cfb'), fc.array(fc.tuple(fc.nat(1500), fc.nat(255)), { maxLength: 40 }), fc.nat(1600), async (kind, bends, length) => {
        const bytes = Buffer.from(kind === 'zip' ? docxOf() : cfbOf(['a', 'b', 'c', 'd', 'WordDocument']))
        for (const [at, value] of bends) if (at < bytes.length) bytes[at] = value
        await (kind === 'zip' ? zipType : cfbType)(readable(bytes.subarray(0, length)))
      }),
      { numRuns: 2_000 },
    )
  })
})

function lying(): Buffer {
  const bytes = zipOf({ 'a.txt': 'a', 'b.exe': 'b' })
  bytes.writeUInt16LE(1, bytes.length - 12) // says one entry, has two
  return bytes
}

function linked(): Buffer {
  const bytes = zipOf({ 'a.txt': '/etc/passwd' })
  const entry = bytes.indexOf('PK\u0001\u0002')
  bytes[entry + 5] = 3 // made on Unix
  bytes.writeUInt32LE(0o120777 * 65_536, entry + 38)
  return bytes
}

function circle(): Buffer {
  const bytes = cfbOf(['a', 'b', 'c', 'd', 'WordDocument'])
  bytes.writeUInt32LE(1, 512 + 8)
  return bytes
}

describe('ranges', () => {
  test.each([
    ['bytes=0-0', { start: 0, end: 1 }],
    ['bytes=0-', { start: 0, end: 100 }],
    ['bytes=10-19', { start: 10, end: 20 }],
    ['bytes=90-500', { start: 90, end: 100 }],
    ['bytes=-1', { start: 99, end: 100 }],
    ['bytes=-500', { start: 0, end: 100 }],
    ['BYTES=5-5', { start: 5, end: 6 }],
    ['bytes=100-', 'outside'],
    ['bytes=-0', 'outside'],
    ['bytes=999999999999999-', 'outside'],
    [undefined, 'all'],
    ['bytes=0-1,5-6', 'all'],
    ['bytes=9-3', 'all'],
    ['bytes=-', 'all'],
    ['lines=0-3', 'all'],
    ['bytes=0x1-', 'all'],
  ] as const)('%s of 100 bytes', (header, part) => expect(rangeOf(header, 100)).toEqual(part))

  test('of an empty file there is no range', () => {
    expect(rangeOf('bytes=0-', 0)).toBe('outside')
    expect(rangeOf('bytes=-5', 0)).toBe('outside')
  })
})

describe('the decoder of pictures', () => {
  test('reads no file of ours, starts nothing, writes nothing and knows no environment', () => {
    const tries = {
      read: "require('fs').readFileSync('/etc/passwd')",
      home: "require('fs').readdirSync(require('os').homedir())",
      write: "require('fs').writeFileSync('/tmp/sealbook-decoder', 'x')",
      start: "require('child_process').spawnSync('true')",
      thread: "new (require('worker_threads').Worker)('1', { eval: true })",
    }
    const probe = `const out = {}; for (const [k, f] of Object.entries({${Object.entries(tries).map(([k, code]) => `${k}: () => ${code}`).join(', ')}})) try { f(); out[k] = 'done' } catch (e) { out[k] = e.code } ; console.log(JSON.stringify({ ...out, env: Object.keys(process.env).length }))`
    const done = spawnSync(process.execPath, [...DECODER_FLAGS, '-e', probe], { env: {}, encoding: 'utf8' })
    expect(JSON.parse(done.stdout)).toEqual({ read: 'ERR_ACCESS_DENIED', home: 'ERR_ACCESS_DENIED', write: 'ERR_ACCESS_DENIED', start: 'ERR_ACCESS_DENIED', thread: 'ERR_ACCESS_DENIED', env: 0 })
  })

  test('turns a picture as its camera held it, and gives nothing for what does not open', async () => {
    const sideways = await sharp({ create: { width: 400, height: 200, channels: 3, background: 'red' } }).jpeg().withMetadata({ orientation: 6 }).toBuffer()
    expect(await sharp((await makePreview(Stream.from([sideways])))!).metadata()).toMatchObject({ format: 'webp', width: 200, height: 400 })
    expect(await makePreview(Stream.from([sideways.subarray(0, 300)]))).toBeNull()
    expect(await makePreview(Stream.from([Buffer.alloc(5_000_000, 1)]))).toBeNull()
  })
})
