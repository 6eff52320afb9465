/** Counts of multi-byte shapes in text of an unknown 8-bit encoding; they say what it plausibly is, which being decodable does not. */
export interface ByteShapes {
  /** Bytes ≥ 0x80. */
  high: number
  /** Well-formed UTF-8 sequences of two, and of three or four bytes; bytes that begin none. */
  utf8Two: number
  utf8Long: number
  utf8Broken: number
  /** Pairs of GB2312's hanzi and punctuation; other pairs and quadruples of GB18030; what is none. */
  gbCommon: number
  gbRare: number
  gbBroken: number
  /** High bytes that stand beside an ASCII letter as an accented letter, or alone as a typographic sign. */
  latin: number
}

export function emptyShapes(): ByteShapes {
  return { high: 0, utf8Two: 0, utf8Long: 0, utf8Broken: 0, gbCommon: 0, gbRare: 0, gbBroken: 0, latin: 0 }
}

/** Adds the shapes of one piece. A character cut by the piece's edge may be counted wrong, one in tens of thousands. */
export function addShapes(shapes: ByteShapes, piece: Uint8Array): void {
  for (let at = 0; at < piece.length; ) {
    if (piece[at]! < 0x80) {
      at++
      continue
    }
    let end = at
    while (end < piece.length && piece[end]! >= 0x80) end++
    shapes.high += end - at
    addUtf8(shapes, piece, at, end)
    addLatin(shapes, piece, at, end)
    at = addGb(shapes, piece, at, end)
  }
}

function addUtf8(shapes: ByteShapes, piece: Uint8Array, from: number, end: number): void {
  for (let at = from; at < end; ) {
    const lead = piece[at]!
    const length = lead >= 0xf0 && lead <= 0xf4 ? 4 : lead >= 0xe0 && lead < 0xf0 ? 3 : lead >= 0xc2 && lead < 0xe0 ? 2 : 0
    let follow = at + 1
    while (follow < end && follow - at < length && piece[follow]! < 0xc0) follow++
    if (length === 0 || follow - at < length) {
      shapes.utf8Broken++
      at++
    } else {
      if (length === 2) shapes.utf8Two++
      else shapes.utf8Long++
      at = follow
    }
  }
}

function addLatin(shapes: ByteShapes, piece: Uint8Array, from: number, end: number): void {
  if (end - from > 2) return
  const besideLetter = isLetter(piece[from - 1]) || isLetter(piece[end])
  for (let at = from; at < end; at++) {
    const b = piece[at]!
    const unused = b === 0x81 || b === 0x8d || b === 0x8f || b === 0x90 || b === 0x9d
    if (b >= 0xc0 ? besideLetter : !unused && end - from === 1) shapes.latin++
  }
}

function isLetter(b: number | undefined): boolean {
  return b !== undefined && ((b >= 0x41 && b <= 0x5a) || (b >= 0x61 && b <= 0x7a))
}

/** Returns where to go on: a pair may end in an ASCII byte after `end`. */
function addGb(shapes: ByteShapes, piece: Uint8Array, from: number, end: number): number {
  let at = from
  while (at < end) {
    const lead = piece[at]!
    const trail = piece[at + 1] ?? 0
    if (lead === 0x80 || lead === 0xff) {
      shapes.gbBroken++
      at++
    } else if (trail >= 0x30 && trail <= 0x39 && (piece[at + 2] ?? 0) >= 0x81) {
      shapes.gbRare++
      at += 4
    } else if (trail >= 0x40 && trail !== 0x7f && trail !== 0xff) {
      // Rows A4 to A9 are kana, Greek, Cyrillic and frames: rare in Chinese, but where Big5 keeps its commonest hanzi.
      if (trail >= 0xa1 && ((lead >= 0xa1 && lead <= 0xa3) || (lead >= 0xb0 && lead <= 0xf7))) shapes.gbCommon++
      else shapes.gbRare++
      at += 2
    } else {
      shapes.gbBroken++
      at++
    }
  }
  return at
}
