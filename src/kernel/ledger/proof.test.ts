import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { EMPTY_ROOT, leafHash, nodeHash, sha256 } from './hash.ts'
import { verifyConsistency, verifyInclusion } from './proof.ts'
import { consistencyRanges, Frontier, inclusionRanges, pieces, proofHashes, readFrontier, type HashReader } from './tree.ts'

/** MTH of RFC 6962 §2.1 as the RFC writes it: slow, and nothing shared with the code under test but the hash. */
function naiveRoot(leaves: readonly Buffer[]): Buffer {
  if (leaves.length === 0) return EMPTY_ROOT
  if (leaves.length === 1) return leaves[0]!
  let k = 1
  while (k * 2 < leaves.length) k *= 2
  return nodeHash(naiveRoot(leaves.slice(0, k)), naiveRoot(leaves.slice(k)))
}

const leavesOf = (count: number): Buffer[] => Array.from({ length: count }, (_, i) => leafHash(Buffer.from(`leaf ${i}`)))

function readerOf(leaves: readonly Buffer[]): HashReader {
  return async (level, first, count) => {
    const width = 256 ** level
    return Array.from({ length: count }, (_, i) => naiveRoot(leaves.slice((first + i) * width, (first + i + 1) * width)))
  }
}

describe('a tree of RFC 6962', () => {
  // The eight leaves and roots that implementations of RFC 6962 have agreed on since its first log server.
  const inputs = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657', '606162636465666768696a6b6c6d6e6f']
  const roots = [
    '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
    'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
    'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
    'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
    '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
    '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
    'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
    '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
  ]

  it('has the known roots', () => {
    const frontier = new Frontier()
    expect(frontier.root().toString('hex')).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855')
    inputs.forEach((input, i) => {
      frontier.add(leafHash(Buffer.from(input, 'hex')))
      expect(frontier.root().toString('hex')).toBe(roots[i])
    })
  })

  it('grows one leaf at a time to the root of the whole', () => {
    const leaves = leavesOf(300)
    const frontier = new Frontier()
    leaves.forEach((leaf, i) => {
      frontier.add(leaf)
      if (i % 7 === 0) expect(frontier.root()).toEqual(naiveRoot(leaves.slice(0, i + 1)))
    })
  })

  it('is the same when read back from blocks, and carried on with whole subtrees', async () => {
    const leaves = leavesOf(1400)
    for (const size of [0, 1, 2, 255, 256, 257, 511, 512, 1023, 1024, 1400]) {
      const frontier = await readFrontier(size, readerOf(leaves))
      expect(frontier.root()).toEqual(naiveRoot(leaves.slice(0, size)))
      for (const piece of pieces(size, 1400)) frontier.add(naiveRoot(leaves.slice(piece.start, piece.start + 2 ** piece.height)), piece.height)
      expect(frontier.root()).toEqual(naiveRoot(leaves))
    }
  })

  it('tells of every block of 256 leaves as it becomes complete', () => {
    const leaves = leavesOf(600)
    const frontier = new Frontier()
    const blocks: number[] = []
    for (const leaf of leaves) {
      frontier.add(leaf, 0, (piece, hash) => {
        if (piece.height !== 8) return
        blocks.push(piece.start)
        expect(hash).toEqual(naiveRoot(leaves.slice(piece.start, piece.start + 256)))
      })
    }
    expect(blocks).toEqual([0, 256])
  })
})

describe('proofs', () => {
  const leaves = leavesOf(700)
  const read = readerOf(leaves)
  const sizes = fc.integer({ min: 1, max: leaves.length })

  it('every leaf of every small tree is proven included', async () => {
    for (let size = 1; size <= 40; size++) {
      const root = naiveRoot(leaves.slice(0, size))
      for (let index = 0; index < size; index++) {
        const proof = await proofHashes(inclusionRanges(index, size), read)
        expect(verifyInclusion({ index, size, leaf: leaves[index]!, root, proof })).toBe(true)
      }
    }
  })

  it('every small tree is proven consistent with every earlier one', async () => {
    for (let size2 = 1; size2 <= 40; size2++) {
      for (let size1 = 1; size1 <= size2; size1++) {
        const proof = await proofHashes(consistencyRanges(size1, size2), read)
        const claim = { size1, size2, root1: naiveRoot(leaves.slice(0, size1)), root2: naiveRoot(leaves.slice(0, size2)), proof }
        expect(verifyConsistency(claim)).toBe(true)
      }
    }
  })

  it('no change of an inclusion proof is accepted', async () => {
    await fc.assert(
      fc.asyncProperty(sizes, fc.nat(), fc.nat(), fc.nat({ max: 255 }), async (size, pick, where, bit) => {
        const index = pick % size
        const good = { index, size, leaf: leaves[index]!, root: naiveRoot(leaves.slice(0, size)), proof: await proofHashes(inclusionRanges(index, size), read) }
        expect(verifyInclusion(good)).toBe(true)
        for (const bad of spoil(good.proof, where, bit)) expect(verifyInclusion({ ...good, proof: bad })).toBe(false)
        expect(verifyInclusion({ ...good, leaf: sha256(good.leaf) })).toBe(false)
        expect(verifyInclusion({ ...good, root: sha256(good.root) })).toBe(false)
        if (size > 1) expect(verifyInclusion({ ...good, index: (index + 1) % size })).toBe(false)
      }),
      { numRuns: 150 },
    )
  })

  it('no change of a consistency proof is accepted', async () => {
    await fc.assert(
      fc.asyncProperty(sizes, sizes, fc.nat(), fc.nat({ max: 255 }), async (a, b, where, bit) => {
        const [size1, size2] = a < b ? [a, b] : [b, a]
        const proof = await proofHashes(consistencyRanges(size1, size2), read)
        const good = { size1, size2, root1: naiveRoot(leaves.slice(0, size1)), root2: naiveRoot(leaves.slice(0, size2)), proof }
        expect(verifyConsistency(good)).toBe(true)
        for (const bad of spoil(proof, where, bit)) expect(verifyConsistency({ ...good, proof: bad })).toBe(false)
        expect(verifyConsistency({ ...good, root1: sha256(good.root1) })).toBe(false)
        expect(verifyConsistency({ ...good, root2: sha256(good.root2) })).toBe(false)
        expect(verifyConsistency({ ...good, size2: size1 - 1 })).toBe(false)
      }),
      { numRuns: 150 },
    )
  })

  it('an empty tree, a short hash and a size that is no whole number prove nothing', () => {
    const root = leaves[0]!
    expect(verifyInclusion({ index: 0, size: 0, leaf: root, root: EMPTY_ROOT, proof: [] })).toBe(false)
    expect(verifyInclusion({ index: 0, size: 1, leaf: root, root, proof: [] })).toBe(true)
    expect(verifyInclusion({ index: 0, size: 1, leaf: root.subarray(0, 31), root: root.subarray(0, 31), proof: [] })).toBe(false)
    expect(verifyInclusion({ index: 0.5, size: 1, leaf: root, root, proof: [] })).toBe(false)
    expect(verifyInclusion({ index: -1, size: 1, leaf: root, root, proof: [] })).toBe(false)
    expect(verifyInclusion({ index: 0, size: Number.NaN, leaf: root, root, proof: [] })).toBe(false)
    expect(verifyConsistency({ size1: 0, size2: 1, root1: EMPTY_ROOT, root2: root, proof: [] })).toBe(false)
    expect(verifyConsistency({ size1: 1, size2: 2, root1: root.subarray(1), root2: root, proof: [root] })).toBe(false)
    expect(verifyConsistency({ size1: 1, size2: 1, root1: root, root2: root, proof: [] })).toBe(true)
    expect(verifyConsistency({ size1: 1, size2: 1, root1: root, root2: root, proof: [root] })).toBe(false)
  })

  it('sizes past 2^32 are walked, not wrapped', async () => {
    const constant: HashReader = async (_level, _first, count) => Array.from({ length: count }, () => leaves[0]!)
    const size = 2 ** 40 + 3
    const frontier = await readFrontier(size, constant)
    const index = 2 ** 33 + 5
    const proof = await proofHashes(inclusionRanges(index, size), constant)
    const leaf = leaves[0]!
    expect(verifyInclusion({ index, size, leaf: spoilOne(leaf, 0), root: frontier.root(), proof })).toBe(false)
    expect(proof.length).toBe(41)
  })
})

function spoilOne(hash: Buffer, bit: number): Buffer {
  const bytes = Buffer.from(hash)
  bytes[bit >> 3]! ^= 1 << (bit & 7)
  return bytes
}

/** The ways a forger may touch a proof: a bit, a hash more or fewer at either end or inside, a hash of the wrong length. */
function* spoil(proof: readonly Buffer[], where: number, bit: number): Generator<Buffer[]> {
  const extra = sha256('extra')
  yield [...proof, extra]
  yield [extra, ...proof]
  if (proof.length === 0) return
  const at = where % proof.length
  yield proof.map((h, i) => (i === at ? spoilOne(h, bit) : h))
  yield proof.filter((_, i) => i !== at)
  yield [...proof.slice(0, at), extra, ...proof.slice(at)]
  yield proof.map((h, i) => (i === at ? h.subarray(0, 31) : h))
  yield proof.map((h, i) => (i === at ? Buffer.concat([h, Buffer.from([0])]) : h))
}

interface Vector {
  desc: string
  wantErr: boolean
  proof: string[] | null
  leafIdx: number
  treeSize: number
  root: string
  leafHash: string
  size1: number
  size2: number
  root1: string
  root2: string
}

/**
 * The public vectors of transparency-dev/merkle (Apache-2.0): folders `inclusion` and `consistency`
 * of its test data. They are not in this repository; point the variable at a copy to run them.
 */
const vectors = process.env['MERKLE_VECTORS'] ?? ''

describe.skipIf(!existsSync(vectors))('the public vectors', () => {
  const bytes = (text: string): Buffer => Buffer.from(text, 'base64')
  const load = (kind: string): Vector[] => {
    const files = readdirSync(join(vectors, kind), { recursive: true, encoding: 'utf8' }).filter((f) => f.endsWith('.json'))
    return files.map((f) => JSON.parse(readFileSync(join(vectors, kind, f), 'utf8')) as Vector)
  }

  it('98 inclusion proofs: 6 hold, 92 fail', () => {
    const all = load('inclusion')
    expect([all.length, all.filter((v) => v.wantErr).length]).toEqual([98, 92])
    for (const v of all) {
      const ok = verifyInclusion({ index: v.leafIdx, size: v.treeSize, leaf: bytes(v.leafHash), root: bytes(v.root), proof: (v.proof ?? []).map(bytes) })
      expect(ok, v.desc).toBe(!v.wantErr)
    }
  })

  it('98 consistency proofs: 6 hold, 92 fail', () => {
    const all = load('consistency')
    expect([all.length, all.filter((v) => v.wantErr).length]).toEqual([98, 92])
    for (const v of all) {
      const ok = verifyConsistency({ size1: v.size1, size2: v.size2, root1: bytes(v.root1), root2: bytes(v.root2), proof: (v.proof ?? []).map(bytes) })
      expect(ok, v.desc).toBe(!v.wantErr)
    }
  })
})
