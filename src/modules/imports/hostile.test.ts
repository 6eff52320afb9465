import { describe, expect, test } from 'vitest'
import { normalise, pinyinOf, tail4, termsOf } from '../../kernel/lens/index.ts'
import { normaliseEmail, parsePhone } from '../contact-points/index.ts'
import { cleanLine, cleanText, cleanTitle, cleanTyped, readFlag, readStage, splitTags, splitValues } from './clean.ts'
import { csvLine } from './csv-out.ts'
import { readDate } from './dates.ts'
import { headerWord } from './headers.ts'
import { mapColumns } from './mapping.ts'
import { joinName } from './names.ts'
import { defaultLimits, inspectCsv, type CsvSource } from './read/index.ts'

// A cell may hold what a pattern tries in every way there is, and the process reads for everybody: each of these must take time in
// proportion to the cell. Where one does not, a cell of this size takes seconds, and a file of them hours.

const cell = defaultLimits.maxCellChars
const pieces = [
  ' ', '\t', '\r', '\u3000', '\u200b', 'a', '1', '１', '\u0660', '.', '-', '(', '必填', '(必填', '转', '转 ', '分机', 'x1 ', '#', '<', '<a', '@', 'a@', 'a.', 'a.a', '@a.', '，', 'é', 'İ', '\u0300', '\ufdfa',
  '_', '=', "'", "' ", '*', '\n', 'ext. ', '年', '1年', '1-', '单', '单a', 'Mon ', '+1', '",', '"',
]
const around = [['', ''], ['1', '!'], ['a@', '@'], ['１', 'z'], ['转', 'x'], ['x@', '@'], ["'", 'z']] as const

const readers: Record<string, (text: string) => unknown> = {
  'a phone here': (s) => parsePhone(cleanTyped(s), 'CN'),
  'a phone abroad': (s) => parsePhone(cleanTyped(s), 'US'),
  'an e-mail': normaliseEmail,
  'a line': cleanLine,
  'a title': cleanTitle,
  'a text': cleanText,
  'tags': splitTags,
  'values': (s) => splitValues(s, (part) => part.includes('@')),
  'a flag': readFlag,
  'a stage': readStage,
  'a date': (s) => readDate(s, 'mdy'),
  'a name': (s) => joinName(s, s, s),
  'a column': (s) => mapColumns([s.slice(0, 300), 'Name']),
  'a column of a map': (s) => headerWord(s.slice(0, 300)),
  'a cell on its way out': (s) => csvLine([s]),
  'a text in search': normalise,
  'a name in search': (s) => pinyinOf(s.slice(0, 10_000)),
  'what was typed': (s) => termsOf(s.slice(0, 200)),
  'the end of a number': (s) => tail4(s.slice(0, 300)),
}

describe('a hostile cell is read in time:', () => {
  test.each(Object.keys(readers))('%s', (name) => {
    const read = readers[name]!
    for (const piece of pieces) {
      for (const [before, after] of around) {
        const text = (before + piece.repeat(cell / piece.length)).slice(0, cell - after.length) + after
        const begun = performance.now()
        read(text)
        // Linear ones take a few milliseconds, quadratic ones thousands; a busy machine stands between.
        expect(performance.now() - begun, JSON.stringify(`${before}${piece}…${after}`)).toBeLessThan(1_500)
      }
    }
  })

  test('a header of one name', async () => {
    const open: CsvSource = async function* () {
      yield Buffer.from(`x@${'a.'.repeat(400_000)}@,Email\na,b@example.com\n`)
    }
    const begun = performance.now()
    await expect(inspectCsv(open)).rejects.toMatchObject({ extra: { reason: 'header-broken' } })
    expect(performance.now() - begun).toBeLessThan(5_000)
  })
})
