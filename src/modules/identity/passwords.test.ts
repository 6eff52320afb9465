import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createTestInstance, type Instance } from '../../../test/harness/ledger.ts'
import { Problem } from '../../kernel/base/index.ts'
import { commonCount } from './common-passwords.ts'
import { passwordFault } from './password-policy.ts'
import { hashPassword, verifyPassword } from './passwords.ts'
import './problems.ts'
import { networkOf } from '../../kernel/base/index.ts'
import { Throttle } from './throttle.ts'
import { codeDigest, newCode, newTotpSecret, totpStep } from './totp.ts'

const context = { words: ['Acme Trading', 'Wang Xiaoming', 'xiaoming.wang@acme-trading.cn'], secondFactor: false }

describe('the policy', () => {
  it.each([
    ['correct horse battery staple', null],
    ['a long pass phrase of the owner 7', null],
    ['密客系统之外的一个很长的口令啊', null],
    ['tree-lamp-orbit', null],
    ['short', 'too-short'],
    ['fourteen chars', 'too-short'],
    ['x'.repeat(257), 'too-long'],
    ['passwordpassword', 'common'],
    ['P@ssw0rd12345678', 'common'],
    ['!!!qwertyuiop1234567890!!!', 'common'],
    ['123456789012345', 'common'],
    ['abcdefghijklmnop', 'common'],
    ['aaaaaaaaaaaaaaaaa', 'common'],
    ['abcabcabcabcabcabc', 'common'],
    ['woaini1314520520', 'common'],
    ['Acme-Trading-2026!', 'context-word'],
    ['xiaoming.wang.1990', 'context-word'],
    ['sealbooksealbook1', 'context-word'],
  ] as const)('%s → %s', (password, fault) => {
    expect(passwordFault(password, context)).toBe(fault)
  })

  it('asks eight characters beside a second factor, and allows long ones of any script', () => {
    expect(passwordFault('tr33-lmp', { ...context, secondFactor: true })).toBeNull()
    expect(passwordFault('tr33-lm', { ...context, secondFactor: true })).toBe('too-short')
    expect(passwordFault('tr33-lmp', context)).toBe('too-short')
    expect(passwordFault('长口令，带标点，一二三四五六七八九十，再长一些，直到六十四个字符以上也可以被接受才对，因为标准要求至少允许六十四个字符。'.repeat(2), context)).toBeNull()
  })

  it('knows a few thousand common ones and composes no rules', () => {
    expect(commonCount()).toBeGreaterThan(5_000)
    fc.assert(fc.property(fc.string({ minLength: 20, maxLength: 60, unit: fc.constantFrom(...'bdghjkmnpqrtvwz') }), (s) => passwordFault(s, context) === null || new Set(s).size < 6))
  })
})

describe('Argon2id', () => {
  let instance: Instance
  beforeAll(async () => {
    instance = await createTestInstance()
  })
  afterAll(() => instance.close())

  it('knows its password, in whichever form of Unicode it is typed, and no other', async () => {
    const { vault } = instance
    const hash = await hashPassword(vault, 'p', 'pässwörd of José')
    expect(hash.length).toBe(58)
    expect(hash.readUInt32BE(1)).toBe(65_536)
    expect(await verifyPassword(vault, 'p', hash, 'pässwörd of José')).toBe(true)
    expect(await verifyPassword(vault, 'p', hash, 'passwörd of Jose')).toBe(false)
    // The pepper binds it to the person: moved to another account it matches nothing.
    expect(await verifyPassword(vault, 'q', hash, 'pässwörd of José')).toBe(false)
    expect(await verifyPassword(vault, null, null, 'pässwörd of José')).toBe(false)
    expect((await hashPassword(vault, 'p', 'pässwörd of José')).equals(hash)).toBe(false)
  })

  it('lets a few run at once, and no network takes every place', async () => {
    const { vault } = instance
    const tries = await Promise.allSettled(Array.from({ length: 12 }, () => verifyPassword(vault, null, null, 'x', '192.0.2.9')))
    const refused = tries.filter((t) => t.status === 'rejected')
    expect(refused).toHaveLength(8)
    for (const t of refused) expect((t.reason as Problem).code).toBe('rate')
    await expect(verifyPassword(vault, null, null, 'x', '192.0.2.10')).resolves.toBe(false)
  })

  it('a code is random, long enough, and its digest bound to person and kind', () => {
    const { vault } = instance
    const codes = new Set(Array.from({ length: 200 }, newCode))
    expect(codes.size).toBe(200)
    for (const code of codes) expect(code).toMatch(/^([2-9A-HJ-NP-TV-Z]{6}-){3}[2-9A-HJ-NP-TV-Z]{6}$/)
    expect(24 * Math.log2(30)).toBeGreaterThan(112)
    const [code] = codes as unknown as [string]
    const digest = codeDigest(vault, 'recovery', 'p', code)
    expect(codeDigest(vault, 'recovery', 'p', code.toLowerCase().replaceAll('-', ' ')).equals(digest)).toBe(true)
    expect(codeDigest(vault, 'reset', 'p', code).equals(digest)).toBe(false)
    expect(codeDigest(vault, 'recovery', 'q', code).equals(digest)).toBe(false)
  })
})

describe('TOTP', () => {
  // RFC 6238 appendix B, the SHA-1 rows, cut to six digits.
  const secret = Buffer.from('12345678901234567890')
  it.each([
    [59, '287082'],
    [1111111109, '081804'],
    [1111111111, '050471'],
    [1234567890, '005924'],
    [2000000000, '279037'],
    [20000000000, '353130'],
  ])('at %d it is %s', (seconds, code) => {
    const now = new Date(seconds * 1000)
    const step = Math.floor(seconds / 30)
    expect(totpStep(secret, code, now, null)).toBe(step)
    expect(totpStep(secret, code, now, step - 1)).toBe(step)
    expect(totpStep(secret, code, now, step)).toBeNull()
    expect(totpStep(secret, code, new Date(now.getTime() + 30_000), null)).toBe(step)
    expect(totpStep(secret, code, new Date(now.getTime() + 90_000), null)).toBeNull()
    expect(totpStep(newTotpSecret(), code, now, null)).toBeNull()
  })
  it.each(['', '28708', '2870821', '28708a', '２８７０８２'])('refuses %s', (code) => {
    expect(totpStep(secret, code, new Date(59_000), null)).toBeNull()
  })
})

describe('throttling', () => {
  const refused = (fn: () => void): number => {
    try {
      fn()
      return 0
    } catch (error) {
      return Number((error as Problem).extra['retryAfterSeconds'])
    }
  }

  it.each([
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8:1:2::1', '2001:db8:1:2::/64'],
    ['2001:0DB8:0001:0002:ffff:0:0:1', '2001:db8:1:2::/64'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ])('%s is of the network %s', (ip, network) => {
    expect(networkOf(ip)).toBe(network)
  })

  it('the wait doubles, for the pair only, and ends', () => {
    let now = 0
    const t = new Throttle(() => now)
    for (let i = 0; i < 5; i++) expect(refused(() => t.attempt('a', 'n'))).toBe(0)
    const waits = []
    for (let i = 0; i < 5; i++) {
      const wait = refused(() => t.attempt('a', 'n'))
      waits.push(wait)
      now += wait * 1000
      t.attempt('a', 'n')
    }
    expect(waits).toEqual([1, 2, 4, 8, 16])
    expect(refused(() => t.attempt('a', 'elsewhere'))).toBe(0)
    expect(refused(() => t.attempt('b', 'n'))).toBe(0)
    now += 2 * 3_600_000
    expect(refused(() => t.attempt('a', 'n'))).toBe(0)
  })

  it('an attacker from many networks does not delay the person at theirs', () => {
    const t = new Throttle(() => 0)
    for (let i = 0; i < 500; i++) t.attempt('a', `n${i}`)
    expect(refused(() => t.attempt('a', 'home'))).toBe(0)
    // One free try instead of five; after success all is well again.
    expect(refused(() => t.attempt('a', 'home'))).toBeGreaterThan(0)
    t.succeeded('a', 'home')
    expect(refused(() => t.attempt('a', 'home'))).toBe(0)
  })

  it('guessing one password at many accounts is slowed by network, for a minute at most', () => {
    const t = new Throttle(() => 0)
    let wait = 0
    for (let i = 0; i < 60 && wait === 0; i++) wait = refused(() => t.attempt(`account ${i}`, 'n'))
    expect(wait).toBeGreaterThan(0)
    expect(wait).toBeLessThanOrEqual(60)
  })

  it('one good sign-in does not make guessing free again for the network', () => {
    const t = new Throttle(() => 0)
    for (let i = 0; i < 29; i++) t.attempt(`account ${i}`, 'n')
    t.attempt('mine', 'n')
    t.succeeded('mine', 'n')
    t.attempt('account 30', 'n')
    expect(refused(() => t.attempt('account 31', 'n'))).toBeGreaterThan(0)
  })
})
