import fc from 'fast-check'
import { expect, test } from 'vitest'
import { normaliseEmail } from './email.ts'

test.each([
  [' Ann@Example.COM ', 'ann@example.com'],
  ['ＡＮＮ＠example。com', 'ann@example.com'],
  ['\u200bann@x.example\u202c', 'ann@x.example'],
  ['Ann Li <ann@x.example>', 'ann@x.example'],
  ['mailto:ann@x.example', 'ann@x.example'],
  ["o'hara+crm@x.example", "o'hara+crm@x.example"],
  ['王@例子.中国', '王@xn--fsqu00a.xn--fiqs8s'],
  ['a@bücher.example', 'a@xn--bcher-kva.example'],
  ['a@xn--bcher-kva.example', 'a@xn--bcher-kva.example'],
  ['a@faß.example', 'a@xn--fa-hia.example'],
])('%s becomes %s', (typed, address) => {
  expect(normaliseEmail(typed)).toBe(address)
})

test.each(['', 'none', 'a@b', 'a b@x.org', 'a@x..org', 'a@-x.org', '.a@x.org', 'a@[1.2.3.4]', 'a@1.2.3.4', 'a@x.org/b', 'a@x.org, b@y.org', '@x.org', 'a@x%2eorg', `${'a'.repeat(65)}@x.org`])(
  '%s is no address',
  (typed) => {
    expect(normaliseEmail(typed)).toBeNull()
  },
)

test('never throws, and what it returns is its own normal form', () => {
  const unit = fc.constantFrom('a', 'B', '@', '.', '-', '+', ' ', '<', '>', 'é', '王', '。', '＠', '\u200b', 'xn--', '%', '/', '1')
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit, maxLength: 20 }), fc.emailAddress(), fc.string()), (typed) => {
      const once = normaliseEmail(typed)
      if (once !== null) expect(normaliseEmail(once)).toBe(once)
    }),
    { numRuns: 20_000 },
  )
})
