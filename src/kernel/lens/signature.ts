import { VALUE_MARK } from './text.ts'

/** 32-bit words of a signature, each its own column, so that a question reads only the few its letters fall into. */
export const SIGNATURE_WORDS = 8
const BITS = 32 * SIGNATURE_WORDS
const MARK = VALUE_MARK.charCodeAt(0)

/**
 * Which pairs of letters, and which single letters beyond ASCII, occur in a row's searchable text: each sets one bit of 256. A row that
 * lacks a bit of the word asked for cannot contain the word, and testing that costs a twentieth of looking through its text. With the
 * hundred pairs of a contact a third of the bits is set, so of the rows without the word one in thirty is looked through.
 */
export class Signature {
  readonly words = new Uint32Array(SIGNATURE_WORDS)

  clear(): void {
    this.words.fill(0)
  }

  /** Adds a text, or several with VALUE_MARK between them. */
  add(text: string): void {
    let before = MARK
    for (let at = 0; at < text.length; at++) {
      const unit = text.charCodeAt(at)
      if (unit !== MARK) {
        if (unit > 0x7f) this.#set(hash(unit, 0))
        if (before !== MARK) this.#set(hash(before, unit))
      }
      before = unit
    }
  }

  #set(bit: number): void {
    const word = bit >>> 5
    this.words[word] = (this.words[word] ?? 0) | (1 << (bit & 31))
  }
}

function hash(a: number, b: number): number {
  return (Math.imul(Math.imul(a, 0x9e3779b1) ^ b, 0x85ebca6b) >>> 16) % BITS
}

/** The words of which a text asks something, and the bits that must be set in them. Empty for a single ASCII letter. */
export function maskOf(text: string): { word: number; bits: number }[] {
  const signature = new Signature()
  signature.add(text)
  return [...signature.words.entries()].flatMap(([word, bits]) => (bits === 0 ? [] : [{ word, bits }]))
}

export function signatureColumn(word: number): string {
  return `"_s${word}"`
}
