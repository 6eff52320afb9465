/** A part of a file: from `start` up to, without, `end`. */
export interface Part {
  start: number
  end: number
}

/**
 * What a Range header (RFC 9110 §14) asks for. `all` where there is none, where it is of another unit, several ranges or malformed: a
 * server may answer with the whole then. `outside` where no byte of the file is in it.
 */
export function rangeOf(header: string | undefined, size: number): Part | 'all' | 'outside' {
  const match = /^bytes=\s*(\d{0,15})-(\d{0,15})\s*$/i.exec(header ?? '')
  const [, first, last] = match ?? []
  if (!match || (first === '' && last === '')) return 'all'
  if (first === '') {
    const length = Math.min(Number(last), size)
    return length === 0 ? 'outside' : { start: size - length, end: size }
  }
  const start = Number(first)
  if (last !== '' && Number(last) < start) return 'all'
  if (start >= size) return 'outside'
  return { start, end: last === '' ? size : Math.min(size, Number(last) + 1) }
}
