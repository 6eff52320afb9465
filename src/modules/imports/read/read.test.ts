import { parse } from 'csv-parse/sync'
import fc from 'fast-check'
import iconv from 'iconv-lite'
import { describe, expect, test } from 'vitest'
import { Problem } from '../../../kernel/base/index.ts'
import { inspectCsv, namedEncoding, readCsv, type CsvOptions, type CsvRow, type CsvSource } from './index.ts'

function pieces(...parts: readonly (string | Uint8Array)[]): CsvSource {
  return async function* () {
    for (const part of parts) yield typeof part === 'string' ? Buffer.from(part) : part
  }
}

function cut(bytes: Uint8Array, size: number): CsvSource {
  return async function* () {
    for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
  }
}

async function all(open: CsvSource, options?: CsvOptions) {
  const profile = await inspectCsv(open, options)
  const rows: CsvRow[] = []
  for await (const row of readCsv(open, profile)) rows.push(row)
  return { profile, rows, good: rows.filter((r) => r.cells !== null) }
}

async function reasonOf(open: CsvSource, options?: CsvOptions): Promise<unknown> {
  try {
    await all(open, options)
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem
    expect(problem.code).toBe('import-file-unreadable')
    expect(Object.keys(problem.extra)).toEqual(['reason'])
    return problem.extra['reason']
  }
  return 'read'
}

function codes(rows: readonly CsvRow[]): string[] {
  return rows.filter((r) => r.cells === null).map((r) => `${r.row} ${r.problem?.code}`)
}

describe('a well-formed table', () => {
  test.each([
    ['LF', 'a,b\n1,2\n3,4\n'],
    ['no newline at the end', 'a,b\n1,2\n3,4'],
    ['CRLF', 'a,b\r\n1,2\r\n3,4\r\n'],
    ['CR', 'a,b\r1,2\r3,4\r'],
    ['semicolons', 'a;b\n1;2\n3;4\n'],
    ['tabs', 'a\tb\n1\t2\n3\t4\n'],
    ['bars', 'a|b\n1|2\n3|4\n'],
    ['sep line', 'sep=;\r\na;b\r\n1;2\r\n3;4\r\n'],
    ['blank lines, which are no rows', '\n\na,b\n\n1,2\n\n\n3,4\n\n'],
    ['a byte order mark', '\ufeffa,b\n1,2\n3,4\n'],
    ['spaces around quotes', 'a, "b" \n"1" , "2"\n3,4'],
    ['empty cells Excel adds', 'a,b\n1,2,,\n3,4,\n'],
  ])('with %s', async (_, text) => {
    const { profile, rows } = await all(pieces(text))
    expect(profile.header).toEqual(['a', 'b'])
    expect(rows.map((r) => r.cells?.map((c) => c.trim()))).toEqual([['1', '2'], ['3', '4']])
    expect(profile).toMatchObject({ rows: 2, rejected: 0 })
  })

  test('keeps quoted delimiters, newlines and doubled quotes', async () => {
    const { rows } = await all(pieces('a,b\n"x, ""y""","line 1\r\nline 2"\n,\n'))
    expect(rows.map((r) => r.cells)).toEqual([['x, "y"', 'line 1\r\nline 2'], ['', '']])
  })

  test('of one column', async () => {
    expect((await all(pieces('email\na@b.example\n\nc@d.example'))).rows.map((r) => r.cells)).toEqual([['a@b.example'], ['c@d.example']])
  })

  test('with a header only has no rows', async () => {
    expect((await all(pieces('a,b'))).profile.rows).toBe(0)
  })

  test('names columns without a name by their place', async () => {
    expect((await all(pieces('a,,b,\n1,2,3,4'))).profile.header).toEqual(['a', '#2', 'b', '#4'])
  })

  test('reads what csv-parse reads, in pieces of any size', async () => {
    const cell = fc.string({ unit: fc.constantFrom('a', '王', ' ', ',', ';', '"', '\n', '\r\n', '\u{1f600}'), maxLength: 6 })
    const table = fc.array(fc.tuple(cell, cell, cell), { minLength: 1, maxLength: 12 })
    await fc.assert(
      fc.asyncProperty(table, fc.constantFrom('\n', '\r\n', '\r'), fc.boolean(), fc.integer({ min: 1, max: 9 }), async (body, newline, ended, size) => {
        const quoted = body.map((cells) => cells.map((c) => (/["\r\n,;]|^ | $/.test(c) ? `"${c.replaceAll('"', '""')}"` : c)).join(','))
        const text = ['h1,h2,h3', ...quoted].join(newline) + (ended ? newline : '')
        const expected = parse(text, { delimiter: ',', skip_empty_lines: true, record_delimiter: newline, from: 2 })
        const { rows } = await all(cut(Buffer.from(text), size), { delimiter: ',' })
        expect(rows.map((r) => r.cells)).toEqual(expected)
      }),
      { numRuns: 500 },
    )
  })
})

describe('encodings', () => {
  const table = '姓名,手机,公司\n王小明,13800138000,北京星河科技有限公司\n欧阳娜娜,13912345678,上海喆澜贸易行\n'
  test.each([
    ['UTF-8', Buffer.from(table), 'utf-8'],
    ['UTF-8 with a mark', Buffer.from('\ufeff' + table), 'utf-8'],
    ['UTF-16 LE with a mark', Buffer.from('\ufeff' + table, 'utf16le'), 'utf-16le'],
    ['UTF-16 LE without', Buffer.from(table, 'utf16le'), 'utf-16le'],
    ['UTF-16 BE with a mark', Buffer.from('\ufeff' + table, 'utf16le').swap16(), 'utf-16be'],
    ['UTF-16 BE without', Buffer.from(table, 'utf16le').swap16(), 'utf-16be'],
    ['GB18030', iconv.encode(table, 'gb18030'), 'gb18030'],
    ['GB18030 with a mark', iconv.encode('\ufeff' + table, 'gb18030', { addBOM: false }), 'gb18030'],
  ])('%s is detected and read', async (_, bytes, encoding) => {
    const { profile, rows } = await all(cut(bytes, 7))
    expect(profile.encoding).toBe(encoding)
    expect(profile.header).toEqual(['姓名', '手机', '公司'])
    expect(rows.map((r) => r.cells?.[0])).toEqual(['王小明', '欧阳娜娜'])
    expect(rows[1]?.cells?.[2]).toBe('上海喆澜贸易行')
  })

  test('Latin-1 only where it looks like it', async () => {
    const { profile, rows } = await all(pieces(Buffer.from('name,city\nJosé Núñez,Málaga\nJürgen Müller,Köln\n', 'latin1')))
    expect(profile.encoding).toBe('windows-1252')
    expect(rows.map((r) => r.cells?.[1])).toEqual(['Málaga', 'Köln'])
  })

  test('GB18030 that begins after 200 kB of ASCII', async () => {
    const ascii = 'name,note\n' + 'Ann,ok\n'.repeat(30_000)
    const { profile, rows } = await all(pieces(ascii, iconv.encode('王小明,北京星河\n', 'gb18030')))
    expect(profile.encoding).toBe('gb18030')
    expect(rows.at(-1)?.cells).toEqual(['王小明', '北京星河'])
  })

  test('one rare hanzi in ASCII, and four-byte characters', async () => {
    expect((await all(pieces(iconv.encode('name,n\n喆,1\n', 'gb18030')))).rows[0]?.cells?.[0]).toBe('喆')
    expect((await all(pieces(iconv.encode('姓名,备注\n王㐀𠮷,张三李四王五赵六\n', 'gb18030')))).rows[0]?.cells?.[0]).toBe('王㐀𠮷')
  })

  test('damaged UTF-8 is refused, not read as GB18030', async () => {
    const bytes = Buffer.from(table.repeat(20))
    bytes[bytes.length >> 1] = 0xff
    expect(await reasonOf(pieces(bytes))).toBe('undecodable')
    const cutOff = Buffer.from(table.repeat(20)).subarray(0, -2)
    expect(await reasonOf(pieces(cutOff))).toBe('undecodable')
  })

  test('Big5 is not taken for GB18030, and is read when named', async () => {
    const bytes = iconv.encode('姓名,公司,備註\n王小明,台北貿易有限公司,這是一個不同的編碼\n'.repeat(4), 'big5')
    expect(await reasonOf(pieces(bytes))).not.toBe('read')
    const { rows } = await all(pieces(bytes), { encoding: namedEncoding('Big5') })
    expect(rows[0]?.cells?.[0]).toBe('王小明')
  })

  test('a named encoding that does not fit is refused', async () => {
    expect(await reasonOf(pieces(iconv.encode(table, 'gb18030')), { encoding: 'utf-8' })).toBe('undecodable')
    expect(() => namedEncoding('klingon')).toThrow(Problem)
    expect(() => namedEncoding('__proto__')).toThrow(Problem)
    expect(namedEncoding('GBK')).toBe('gb18030')
  })

  test('half a UTF-16 character is refused', async () => {
    expect(await reasonOf(pieces(Buffer.from('\ufeff' + table, 'utf16le').subarray(0, -1)))).toBe('undecodable')
    expect(await reasonOf(pieces(Buffer.concat([Buffer.from('\ufeffa,b\n1,', 'utf16le'), Buffer.from([0x00, 0xd8]), Buffer.from('x\n', 'utf16le')])))).toBe('undecodable')
  })
})

describe('a bad row costs only itself', () => {
  test('loses no row after broken quotes', async () => {
    const text = 'id,name,note\n1,Ann,ok\n2,"Bob" Smith,x\n3,Cid,"fine, yes"\n4,"Dora,y\n5,Eve,z\n6,"Fay",w\n7,Gus,v\n'
    for (const size of [1, 5, 1000]) {
      const { rows, good } = await all(cut(Buffer.from(text), size))
      expect(codes(rows)).toEqual(['2 quote-broken', '4 quote-broken'])
      expect(good.map((r) => r.cells?.[1])).toEqual(['Ann', 'Cid', 'Eve', 'Fay', 'Gus'])
    }
  })

  test('a quote that never closes', async () => {
    const { rows } = await all(pieces('a,b\n1,"x\n2,y\n3,z'))
    expect(codes(rows)).toEqual(['1 quote-broken'])
    expect(rows).toHaveLength(3)
  })

  test('a quote that never closes in a file of 300,000 lines', async () => {
    const { rows } = await all(pieces('a,b\n1,"x\n' + '2,y\n'.repeat(300_000)))
    expect(codes(rows)).toEqual(['1 quote-broken'])
    expect(rows).toHaveLength(300_001)
  })

  test('a quote inside a bare cell is kept as typed and remarked', async () => {
    const { rows } = await all(pieces('a,b\n5\'10" tall,x\n'))
    expect(rows).toEqual([{ row: 1, cells: ['5\'10" tall', 'x'], problem: { code: 'quote-literal', column: null } }])
  })

  test('ragged rows, NUL bytes and cells that are too long', async () => {
    const { rows, profile } = await all(pieces(`a,b\n1\n2,2\n3,3,3\n4,\0\n5,${'x'.repeat(40_000)}\n6,6\n`))
    expect(codes(rows)).toEqual(['1 row-ragged', '3 row-ragged', '4 nul-byte', '5 cell-too-long'])
    expect(rows[4]?.problem?.column).toBe('b')
    expect(profile).toMatchObject({ rows: 6, rejected: 4 })
  })

  test('a row of 200 MB on one line, quoted or not, in bounded memory', async () => {
    for (const opening of ['', '"']) {
      const before = process.memoryUsage().rss
      const big: CsvSource = async function* () {
        yield Buffer.from(`a,b\n1,${opening}`)
        for (let i = 0; i < 200; i++) yield Buffer.alloc(1 << 20, 'x')
        yield Buffer.from('\n2,y\n')
      }
      const { rows } = await all(big)
      expect(codes(rows)).toEqual(['1 row-too-long'])
      expect(rows[1]?.cells).toEqual(['2', 'y'])
      expect(process.memoryUsage().rss - before).toBeLessThan(150e6)
    }
  })
})

describe('what is no table is refused as a whole', () => {
  const zip = Buffer.from('504b03041400000008000000', 'hex')
  test.each([
    ['nothing', Buffer.alloc(0), 'empty'],
    ['only newlines', Buffer.from('\n\r\n\n'), 'header-missing'],
    ['a zip', zip, 'archive'],
    ['an xlsx', Buffer.concat([zip, Buffer.from('[Content_Types].xml')]), 'spreadsheet'],
    ['an old xls', Buffer.from('d0cf11e0a1b11ae10000', 'hex'), 'spreadsheet'],
    ['a pdf', Buffer.from('%PDF-1.7\n'), 'pdf'],
    ['a web page', Buffer.from('\ufeff\n<!DOCTYPE html><table>'), 'html'],
    ['a picture', Buffer.from('89504e470d0a1a0a', 'hex'), 'binary'],
    ['control characters', Buffer.from('a,b\n\x01\x02\x03\x04'), 'binary'],
    ['a header with NUL', Buffer.from('a\0,b,cccccccccccccccccccccccccccccccc\n'), 'binary'],
    ['no header', Buffer.from('Ann,ann@mail.example\nBob,bob@mail.example'), 'header-missing'],
    ['no header, a phone', Buffer.from('Ann,138 0013 8000\n'), 'header-missing'],
    ['two columns of one name', Buffer.from('Name,E-Mail,ＮＡＭＥ\na,b,c'), 'header-duplicate'],
    ['broken quotes in the header', Buffer.from('a,"b"x,c\n1,2,3'), 'header-broken'],
    ['an open quote in the header', Buffer.from('a,"b\n1,2\n'), 'header-broken'],
    ['2,000 columns', Buffer.from(Array.from({ length: 2000 }, (_, i) => `c${i}`).join(',')), 'too-many-columns'],
    ['noise', Buffer.from(Array.from({ length: 4000 }, (_, i) => 128 + ((i * 7919 + (i >> 3) * 31) % 128))), 'undecodable'],
  ])('%s', async (_, bytes, reason) => {
    expect(await reasonOf(pieces(bytes))).toBe(reason)
  })

  test('200 MB on one line', async () => {
    const big: CsvSource = async function* () {
      for (let i = 0; i < 200; i++) yield Buffer.alloc(1 << 20, 'name,')
    }
    expect(await reasonOf(big)).toBe('line-too-long')
  })

  test('a file that changed between the two looks', async () => {
    const profile = await inspectCsv(pieces('a,b\n1,2\n'))
    const read = async (text: string) => {
      for await (const row of readCsv(pieces(text), profile)) expect(row.cells).not.toBeNull()
    }
    await expect(read('a,b\n1,2\n3,4\n')).rejects.toMatchObject({ extra: { reason: 'changed-while-read' } })
    await expect(read('a,c\n1,2\n')).rejects.toMatchObject({ extra: { reason: 'changed-while-read' } })
  })
})

describe('whatever the bytes', () => {
  const bits = fc.constantFrom('a', 'b', ',', ';', '\t', '"', '""', '\n', '\r', '\r\n', ' ', '\0', '王', 'é', '1', '@', '+', 'sep=,')
  const limits = { maxRecordChars: 40, maxCellChars: 15 }

  test('rows read = good + rejected, numbered without a gap, and the same in pieces of any size', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(bits, { maxLength: 120 }), fc.integer({ min: 1, max: 50 }), async (parts, size) => {
        const bytes = Buffer.from('h1,h2\n' + parts.join(''))
        const read = await all(pieces(bytes), { limits, encoding: 'utf-8' })
        expect(read.rows.map((r) => r.row)).toEqual(read.rows.map((_, i) => i + 1))
        expect(read.profile.rows).toBe(read.good.length + read.profile.rejected)
        expect((await all(cut(bytes, size), { limits, encoding: 'utf-8' })).rows).toEqual(read.rows)
      }),
      { numRuns: 2000 },
    )
  })

  test('it is read or refused with that one problem', async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.uint8Array({ maxLength: 300 }), fc.array(bits, { maxLength: 80 }).map((p) => Buffer.from(p.join('')))), async (bytes) => {
        await reasonOf(pieces(bytes), { limits })
      }),
      { numRuns: 3000 },
    )
  })

  test('a good row is never lost beside bad ones', async () => {
    const bad = fc.constantFrom('x,"y" z', 'only one', 'a,b,c', '"open,', 'n,\0', 'q,"a""', '""x,1')
    const good = fc.nat({ max: 1e6 }).map((n) => `ok${n},"v, ${n}"`)
    await fc.assert(
      fc.asyncProperty(fc.array(fc.oneof(bad, good), { maxLength: 30 }), async (lines) => {
        const { good: rows } = await all(pieces(['h1,h2', ...lines].join('\n')), { delimiter: ',' })
        const seen = rows.map((r) => r.cells?.[0]).filter((c) => c?.startsWith('ok'))
        expect(seen).toEqual(lines.filter((l) => l.startsWith('ok')).map((l) => l.split(',')[0]))
      }),
      { numRuns: 1000 },
    )
  })
})
