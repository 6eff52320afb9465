import { EMPTY_ROOT, nodeHash } from './hash.ts'

/** A complete subtree of 2^height leaves that starts at leaf `start`, a multiple of 2^height. */
export interface Piece {
  start: number
  height: number
}

/** One level of stored blocks spans 256 children: a proof touches at most two blocks a level. */
export const BLOCK_HEIGHT = 8
export const BLOCK_WIDTH = 256

/** Cuts the leaves [from, to) into the fewest complete subtrees, in order. */
export function pieces(from: number, to: number): Piece[] {
  const out: Piece[] = []
  let at = from
  while (at < to) {
    let height = 0
    let width = 1
    while (at % (width * 2) === 0 && at + width * 2 <= to) {
      width *= 2
      height++
    }
    out.push({ start: at, height })
    at += width
  }
  return out
}

interface Peak {
  height: number
  hash: Buffer
}

/**
 * The right edge of a tree: the complete subtrees that make it up, widest first. It holds at most
 * one hash for each power of two, so a tree of any size is carried on in about 2 KB.
 */
export class Frontier {
  #peaks: Peak[] = []
  #size = 0

  get size(): number {
    return this.#size
  }

  copy(): Frontier {
    const other = new Frontier()
    other.#peaks = [...this.#peaks]
    other.#size = this.#size
    return other
  }

  /** Adds a complete subtree of 2^height leaves (a leaf: height 0). Every larger subtree that becomes complete is told to `complete`. */
  add(hash: Buffer, height = 0, complete?: (piece: Piece, hash: Buffer) => void): void {
    const width = 2 ** height
    if (this.#size % width !== 0) throw new RangeError('a subtree must start at a multiple of its width')
    this.#size += width
    let node: Peak = { height, hash }
    complete?.({ start: this.#size - width, height }, hash)
    for (let left = this.#peaks.at(-1); left?.height === node.height; left = this.#peaks.at(-1)) {
      this.#peaks.pop()
      node = { height: node.height + 1, hash: nodeHash(left.hash, node.hash) }
      complete?.({ start: this.#size - 2 ** node.height, height: node.height }, node.hash)
    }
    this.#peaks.push(node)
  }

  /** The hashes of `pieces(0, size)`. */
  hashes(): Buffer[] {
    return this.#peaks.map((p) => p.hash)
  }

  root(): Buffer {
    return joinPeaks(this.hashes()) ?? EMPTY_ROOT
  }
}

/** RFC 6962 hashes an incomplete tree from the right: the narrowest subtrees are joined first. */
function joinPeaks(hashes: readonly Buffer[]): Buffer | null {
  let root = hashes.at(-1) ?? null
  for (let i = hashes.length - 2; i >= 0 && root !== null; i--) root = nodeHash(hashes[i]!, root)
  return root
}

/** The root of a range of leaves that is a subtree of RFC 6962, from the hashes of `pieces(from, to)`. */
export function rangeRoot(hashes: readonly Buffer[]): Buffer {
  const root = joinPeaks(hashes)
  if (root === null) throw new RangeError('an empty range has no subtree root')
  return root
}

/** A half-open range of leaves whose subtree hash a proof needs. */
export type Range = readonly [from: number, to: number]

function split(size: number): number {
  let k = 1
  while (k * 2 < size) k *= 2
  return k
}

/** PATH(index, D[size]) of RFC 6962 §2.1.1 as ranges, in the order of the proof. */
export function inclusionRanges(index: number, size: number): Range[] {
  const out: Range[] = []
  let from = 0
  let to = size
  while (to - from > 1) {
    const middle = from + split(to - from)
    if (index < middle) {
      out.push([middle, to])
      to = middle
    } else {
      out.push([from, middle])
      from = middle
    }
  }
  return out.reverse()
}

/** PROOF(size1, D[size2]) of RFC 6962 §2.1.2 as ranges, in the order of the proof. */
export function consistencyRanges(size1: number, size2: number): Range[] {
  const out: Range[] = []
  let from = 0
  let to = size2
  // While the first tree ends exactly at `to` and starts at 0 its root is known to the verifier and left out.
  while (size1 !== to) {
    const middle = from + split(to - from)
    if (size1 <= middle) {
      out.push([middle, to])
      to = middle
    } else {
      out.push([from, middle])
      from = middle
    }
  }
  if (from > 0) out.push([from, to])
  return out.reverse()
}

/** Where hashes of complete subtrees are kept: level 0 = leaves, level k = blocks of 256^k leaves. Resolves with exactly `count` hashes from `first`. */
export type HashReader = (level: number, first: number, count: number) => Promise<Buffer[]>

/** The hash of one complete subtree, folded from the nearest stored level below it: at most 128 hashes are read. */
async function pieceHash(piece: Piece, read: HashReader): Promise<Buffer> {
  const level = Math.floor(piece.height / BLOCK_HEIGHT)
  const count = 2 ** (piece.height - level * BLOCK_HEIGHT)
  const first = piece.start / 2 ** (level * BLOCK_HEIGHT)
  let row = await read(level, first, count)
  if (row.length !== count) throw new RangeError('the tree store lacks a hash')
  while (row.length > 1) {
    const up: Buffer[] = []
    for (let i = 0; i < row.length; i += 2) up.push(nodeHash(row[i]!, row[i + 1]!))
    row = up
  }
  return row[0]!
}

export async function rangeHashes(range: Range, read: HashReader): Promise<Buffer[]> {
  return Promise.all(pieces(range[0], range[1]).map((p) => pieceHash(p, read)))
}

export async function proofHashes(ranges: readonly Range[], read: HashReader): Promise<Buffer[]> {
  return Promise.all(ranges.map(async (r) => rangeRoot(await rangeHashes(r, read))))
}

/** The right edge of the first `size` leaves, read from the store. */
export async function readFrontier(size: number, read: HashReader): Promise<Frontier> {
  const frontier = new Frontier()
  const edge = pieces(0, size)
  const hashes = await rangeHashes([0, size], read)
  edge.forEach((piece, i) => frontier.add(hashes[i]!, piece.height))
  return frontier
}
