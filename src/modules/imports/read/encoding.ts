import { isAscii } from 'node:buffer'
import { Problem } from '../../../kernel/base/index.ts'
import { unreadable } from '../problems.ts'
import { addShapes, emptyShapes, type ByteShapes } from './bytes.ts'
import { rechunk, type CsvSource } from './chunks.ts'
import { foreignFormat, looksBinary } from './signature.ts'

/** Encodings of the WHATWG Encoding Standard that a table may come in. The last four are read when named, never guessed. */
export type Encoding = 'utf-8' | 'utf-16le' | 'utf-16be' | 'gb18030' | 'windows-1252' | 'big5' | 'shift_jis' | 'euc-kr' | 'euc-jp'

const names: Readonly<Record<string, Encoding>> = {
  'utf-8': 'utf-8', utf8: 'utf-8', ascii: 'utf-8', 'us-ascii': 'utf-8',
  'utf-16le': 'utf-16le', utf16le: 'utf-16le', 'utf-16': 'utf-16le', utf16: 'utf-16le', 'utf-16be': 'utf-16be', utf16be: 'utf-16be',
  gb18030: 'gb18030', gbk: 'gb18030', gb2312: 'gb18030', cp936: 'gb18030',
  'windows-1252': 'windows-1252', cp1252: 'windows-1252', latin1: 'windows-1252', 'latin-1': 'windows-1252', 'iso-8859-1': 'windows-1252',
  big5: 'big5', shift_jis: 'shift_jis', 'euc-kr': 'euc-kr', 'euc-jp': 'euc-jp',
}

/** The encoding a person named, or 'auto'. Throws Problem invalid for a word that is none. */
export function namedEncoding(word: string): Encoding | 'auto' {
  const name = word.trim().toLowerCase()
  if (name === 'auto' || name === '') return 'auto'
  const encoding = Object.hasOwn(names, name) ? names[name] : undefined
  if (!encoding) throw new Problem('invalid', { errors: [{ path: 'encoding', code: 'encoding-unknown' }] })
  return encoding
}

/**
 * Reads the whole file once and says its encoding: what the byte order mark says; else UTF-16 by its zero bytes; else UTF-8
 * if every byte is UTF-8; else GB18030 or Latin-1, if it decodes **and** looks like it: nearly any bytes decode as Latin-1, and
 * a damaged UTF-8 file as GB18030, into nonsense. Throws Problem import-file-unreadable.
 */
export async function findEncoding(open: CsvSource, wanted: Encoding | 'auto' = 'auto'): Promise<{ encoding: Encoding; bytes: number }> {
  let probe: Probe | null = null
  let bytes = 0
  for await (const piece of rechunk(open())) {
    probe ??= startProbe(piece, wanted)
    bytes += piece.length
    probe.add(piece)
  }
  if (!probe) throw unreadable('empty')
  return { encoding: probe.end(), bytes }
}

/** Decodes the file; a byte order mark is dropped. Throws Problem import-file-unreadable for bytes that are not in `encoding`. */
export async function* decode(open: CsvSource, encoding: Encoding): AsyncGenerator<string> {
  const decoder = new TextDecoder(encoding, { fatal: true })
  let first = true
  for await (const piece of rechunk(open())) {
    let text = decodeStep(decoder, piece)
    if (first && text.startsWith('\ufeff')) text = text.slice(1)
    first = false
    yield text
  }
  yield decodeStep(decoder, null)
}

function decodeStep(decoder: TextDecoder, piece: Uint8Array | null): string {
  try {
    const text = piece ? decoder.decode(piece, { stream: true }) : decoder.decode()
    if (text.isWellFormed()) return text
  } catch (cause) {
    if (!(cause instanceof TypeError)) throw cause
  }
  throw unreadable('undecodable')
}

interface Probe {
  add(piece: Uint8Array): void
  end(): Encoding
}

function startProbe(head: Uint8Array, wanted: Encoding | 'auto'): Probe {
  const format = foreignFormat(head)
  if (format) throw unreadable(format)
  if (wanted !== 'auto') return knownProbe(wanted)
  const marked = byMark(head) ?? byZeroBytes(head)
  if (marked) return knownProbe(marked)
  if (looksBinary(head)) throw unreadable('binary')
  return openProbe()
}

function byMark(head: Uint8Array): Encoding | null {
  const [a, b, c, d] = head
  if (a === 0xef && b === 0xbb && c === 0xbf) return 'utf-8'
  if (a === 0xff && b === 0xfe) return 'utf-16le'
  if (a === 0xfe && b === 0xff) return 'utf-16be'
  return a === 0x84 && b === 0x31 && c === 0x95 && d === 0x33 ? 'gb18030' : null
}

/**
 * Even a wholly Chinese table has ASCII delimiters and line ends, whose zero bytes all stand on one side; a table of ASCII is
 * half zeros. Few zeros in what is UTF-8 otherwise are stray NULs.
 */
function byZeroBytes(head: Uint8Array): Encoding | null {
  const zeros = [0, 0]
  for (let at = 0; at < head.length; at++) if (head[at] === 0) zeros[at & 1]!++
  const [even = 0, odd = 0] = zeros
  if (even + odd < 4 || (even + odd) * 20 < head.length) return null
  if ((even + odd) * 3 < head.length && decodes('utf-8', head)) return null
  if (odd > even * 20) return 'utf-16le'
  return even > odd * 20 ? 'utf-16be' : null
}

function decodes(encoding: Encoding, head: Uint8Array): boolean {
  const probe = trial(encoding)
  probe.add(head)
  return probe.alive
}

function knownProbe(encoding: Encoding): Probe {
  const decoder = new TextDecoder(encoding, { fatal: true })
  return {
    add: (piece) => void decodeStep(decoder, piece),
    end: () => (decodeStep(decoder, null), encoding),
  }
}

function openProbe(): Probe {
  const utf8 = trial('utf-8')
  const gb = trial('gb18030')
  const shapes = emptyShapes()
  return {
    add(piece) {
      // Every candidate reads ASCII alike, and fatal decoders hold no state after it.
      if (isAscii(piece) && !utf8.pending && !gb.pending) return
      addShapes(shapes, piece)
      utf8.add(piece)
      gb.add(piece)
    },
    end: () => decide(shapes, utf8.end(), gb.end()),
  }
}

function trial(encoding: Encoding): { add(piece: Uint8Array): void; end(): boolean; readonly alive: boolean; readonly pending: boolean } {
  const decoder = new TextDecoder(encoding, { fatal: true })
  let alive = true
  let pending = false
  function step(piece: Uint8Array | null): void {
    try {
      decodeStep(decoder, piece)
    } catch (cause) {
      if (!(cause instanceof Problem)) throw cause
      alive = false
    }
  }
  return {
    get alive() {
      return alive
    },
    get pending() {
      return pending
    },
    add(piece) {
      if (alive) step(piece)
      pending = alive && (piece.at(-1)! >= 0x80 || piece.at(-2)! >= 0x80 || piece.at(-3)! >= 0x80)
    },
    end() {
      if (alive) step(null)
      return alive
    },
  }
}

function decide(shapes: ByteShapes, utf8: boolean, gb: boolean): Encoding {
  if (utf8) return 'utf-8'
  const { utf8Long, utf8Two, utf8Broken } = shapes
  if (utf8Long >= utf8Broken * 4 || utf8Long + utf8Two >= utf8Broken * 10) throw unreadable('undecodable')
  const gbAll = shapes.gbCommon + shapes.gbRare + shapes.gbBroken
  if (gb && shapes.gbCommon * 2 >= gbAll) return 'gb18030'
  if (shapes.latin * 20 >= shapes.high * 19) return 'windows-1252'
  // One rare hanzi of somebody's name in a table that is otherwise ASCII.
  if (gb && shapes.gbBroken === 0 && gbAll <= 8) return 'gb18030'
  throw unreadable(gb ? 'encoding-unknown' : 'undecodable')
}
