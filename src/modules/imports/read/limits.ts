/** What bounds the memory of reading, whatever the input. Characters are UTF-16 units. */
export interface ReadLimits {
  /** A record longer than this is rejected; also the most that is ever held of one record. */
  maxRecordChars: number
  /** Excel's own limit for a cell. */
  maxCellChars: number
  maxColumns: number
}

export const defaultLimits: ReadLimits = { maxRecordChars: 1 << 20, maxCellChars: 32_767, maxColumns: 1_000 }

/** Bytes of one decoding step, of the encoding sample and of the delimiter sample. */
export const chunkBytes = 1 << 16
