import { HASH_BYTES, nodeHash } from './hash.ts'

/** Sizes and indices are JavaScript integers: arithmetic, never 32-bit shifts, so that a tree past 2^31 leaves still proves. */
const half = (n: number): number => Math.floor(n / 2)
const odd = (n: number): boolean => n % 2 === 1

function countsAreSane(...values: readonly number[]): boolean {
  return values.every((v) => Number.isSafeInteger(v) && v >= 0)
}

/** A hash of another length would move the boundary between two hashes, so a forger could choose both sides of a node. */
function hashesAreSane(hashes: readonly Uint8Array[]): boolean {
  return hashes.every((h) => h instanceof Uint8Array && h.length === HASH_BYTES)
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0
}

export interface InclusionClaim {
  index: number
  size: number
  leaf: Uint8Array
  root: Uint8Array
  proof: readonly Uint8Array[]
}

/** Whether the proof shows that `leaf` (a leaf hash) is leaf `index` of the tree of `size` leaves with this root (RFC 9162 §2.1.3.2). Never throws. */
export function verifyInclusion({ index, size, leaf, root, proof }: InclusionClaim): boolean {
  if (!countsAreSane(index, size) || size === 0 || index >= size) return false
  if (!hashesAreSane([leaf, root, ...proof])) return false
  let at = index
  let last = size - 1
  let hash: Uint8Array = leaf
  for (const sibling of proof) {
    if (last === 0) return false
    if (odd(at) || at === last) {
      hash = nodeHash(sibling, hash)
      while (!odd(at) && at !== 0) {
        at = half(at)
        last = half(last)
      }
    } else {
      hash = nodeHash(hash, sibling)
    }
    at = half(at)
    last = half(last)
  }
  return last === 0 && same(hash, root)
}

export interface ConsistencyClaim {
  size1: number
  size2: number
  root1: Uint8Array
  root2: Uint8Array
  proof: readonly Uint8Array[]
}

/** Whether the proof shows that the tree of `size2` leaves only adds to the tree of `size1` leaves (RFC 9162 §2.1.4.2). An empty first tree proves nothing and is refused. */
export function verifyConsistency({ size1, size2, root1, root2, proof }: ConsistencyClaim): boolean {
  if (!countsAreSane(size1, size2) || size1 === 0 || size1 > size2) return false
  // Nothing is hashed between equal sizes: the same bytes twice are the same tree, whatever they are (a public vector holds us to it).
  if (size1 === size2) return proof.length === 0 && same(root1, root2)
  if (!hashesAreSane([root1, root2, ...proof])) return false
  let at = size1 - 1
  let last = size2 - 1
  while (odd(at)) {
    at = half(at)
    last = half(last)
  }
  // The first tree is itself a complete subtree of the second exactly when nothing of `at` is left: then its root is where the path starts, and the proof does not repeat it.
  const path = at === 0 ? [root1, ...proof] : [...proof]
  const start = path.shift()
  if (start === undefined) return false
  return walkConsistency({ at, last, start, path, root1, root2 })
}

interface Walk {
  at: number
  last: number
  start: Uint8Array
  path: readonly Uint8Array[]
  root1: Uint8Array
  root2: Uint8Array
}

function walkConsistency({ at, last, start, path, root1, root2 }: Walk): boolean {
  let first = start
  let second = start
  for (const sibling of path) {
    if (last === 0) return false
    if (odd(at) || at === last) {
      first = nodeHash(sibling, first)
      second = nodeHash(sibling, second)
      while (!odd(at) && at !== 0) {
        at = half(at)
        last = half(last)
      }
    } else {
      second = nodeHash(second, sibling)
    }
    at = half(at)
    last = half(last)
  }
  return last === 0 && same(first, root1) && same(second, root2)
}
