import { VALUE_MARK } from './text.ts'

/** Words of a signature, each a column of its own, so that a question reads only the few its letters fall into. */
export const SIGNATURE_WORDS = 4
// The most that a JavaScript number takes to a BIGINT column exactly, in two halves of bits that can be set.
const HALF = 26
const BITS = 2 * HALF * SIGNATURE_WORDS
const MARK = VALUE_MARK.charCodeAt(0)

/**
 * Which pairs of letters, and which single letters beyond ASCII, occur in a row's searchable text: each sets one bit of 208. A row that
 * lacks a bit of the word asked for cannot contain the word, and testing that costs a twentieth of looking through its text. With the
 * hundred pairs of a contact two bits in five are set, so of the rows without the word one in twenty is looked through.
 */
export class Signature {
  readonly #halves = new Uint32Array(2 * SIGNATURE_WORDS)

  clear(): void {
    this.#halves.fill(0)
  }

  /** Adds a text, or several with VALUE_MARK between them. */
  add(text: string): void {
    const halves = this.#halves
    let before = MARK
    for (let at = 0; at < text.length; at++) {
      const unit = text.charCodeAt(at)
      if (unit !== MARK) {
        if (unit > 0x7f) set(halves, bitOf(unit, 0))
        if (before !== MARK) set(halves, bitOf(before, unit))
      }
      before = unit
    }
  }

  word(at: number): number {
    return (this.#halves[2 * at + 1] ?? 0) * 2 ** HALF + (this.#halves[2 * at] ?? 0)
  }
}

function set(halves: Uint32Array, bit: number): void {
  const half = (bit / HALF) | 0
  halves[half] = (halves[half] ?? 0) | (1 << (bit - half * HALF))
}

function bitOf(a: number, b: number): number {
  return ((Math.imul(Math.imul(a, 0x9e3779b1) ^ b, 0x85ebca6b) >>> 16) * BITS) >>> 16
}

/** The words of which a text asks something, and the bits that must be set in them. Empty for a single ASCII letter. */
export function maskOf(text: string): { word: number; bits: number }[] {
  const signature = new Signature()
  signature.add(text)
  return Array.from({ length: SIGNATURE_WORDS }, (_, word) => ({ word, bits: signature.word(word) })).filter(({ bits }) => bits !== 0)
}

export function signatureColumn(word: number): string {
  return `"_s${word}"`
}
