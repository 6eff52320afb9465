/**
 * A small seeded generator of random numbers (sfc32 by Chris Doty-Humphrey, seeded through splitmix32). Integer operations
 * only, so that a seed means the same data on every platform and for ever.
 */
export interface Random {
  /** 0 ≤ n < 2^32 */
  next(): number
  /** 0 ≤ n < limit, limit ≤ 2^32 */
  below(limit: number): number
  /** True once in `times`. */
  oneIn(times: number): boolean
  pick<T>(items: readonly T[]): T
}

export function random(seed: number): Random {
  let state = seed >>> 0
  const mix = () => {
    state = (state + 0x9e3779b9) | 0
    let t = Math.imul(state ^ (state >>> 16), 0x21f0aaad)
    t = Math.imul(t ^ (t >>> 15), 0x735a2d97)
    return t ^ (t >>> 15)
  }
  let a = mix()
  let b = mix()
  let c = mix()
  let counter = 1
  const next = () => {
    const t = (((a + b) | 0) + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (c << 21) | (c >>> 11)
    c = (c + t) | 0
    return t >>> 0
  }
  for (let i = 0; i < 12; i++) next()
  const below = (limit: number) => Math.floor((next() / 0x1_0000_0000) * limit)
  return {
    next,
    below,
    oneIn: (times) => below(times) === 0,
    pick: (items) => {
      const item = items[below(items.length)]
      if (item === undefined) throw new RangeError('nothing to pick from')
      return item
    },
  }
}

/** Values with true probabilities, which sum to 1: what an attacker who knows the generator knows. */
export interface Weighted<T> {
  readonly entries: readonly { readonly value: T; readonly p: number }[]
  draw(from: Random): T
}

export function weighted<T>(items: readonly (readonly [T, number])[]): Weighted<T> {
  const total = items.reduce((sum, [, weight]) => sum + weight, 0)
  const entries = items.map(([value, weight]) => ({ value, p: weight / total }))
  const upTo = new Float64Array(entries.length)
  let sum = 0
  for (const [i, entry] of entries.entries()) upTo[i] = sum += entry.p
  return {
    entries,
    draw(from) {
      const at = from.next() / 0x1_0000_0000
      let low = 0
      let high = upTo.length - 1
      while (low < high) {
        const middle = (low + high) >> 1
        if ((upTo[middle] ?? 1) > at) high = middle
        else low = middle + 1
      }
      const entry = entries[low]
      if (!entry) throw new RangeError('nothing to draw from')
      return entry.value
    },
  }
}

/** Weights of a list in order of frequency: 1/(rank + flatness), a shifted Zipf law; division alone, the same everywhere. */
export function byRank<T>(items: readonly T[], flatness: number): (readonly [T, number])[] {
  return items.map((item, rank) => [item, 1 / (rank + 1 + flatness)] as const)
}
