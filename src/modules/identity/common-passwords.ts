// The words and patterns that head every list of breached passwords, and the ways people dress them up. Expanded on first
// use to a few thousand entries; a full breached list belongs to the identity work.
const WORDS = `password passwort passw0rd pass admin administrator root user guest login welcome hello letmein letmein changeme change default secret test
testing demo temp qwerty qwertyuiop qwertz azerty asdf asdfgh asdfghjkl zxcvbn zxcvbnm qazwsx qazwsxedc qweasd qweasdzxc abc abcd abcdef abcdefg abcdefgh
abc123 a1b2c3 iloveyou iloveu loveyou lovely love princess sunshine monkey dragon master football baseball basketball soccer hockey superman batman
trustno1 shadow michael jennifer jordan hunter ranger buster thomas robert charlie andrew daniel jessica ashley amanda nicole joshua matthew anthony
freedom whatever computer internet server database system oracle mysql postgres manager office company business sales customer crm support service
summer winter spring autumn january february march april june july august september october november december monday friday sunday
starwars pokemon naruto matrix killer ninja flower cookie chocolate cheese pepper ginger banana orange purple silver golden diamond mustang ferrari porsche
mercedes yamaha toyota samsung google facebook apple iphone android windows linux access security private personal money lucky happy angel baby
blink182 liverpool arsenal chelsea barcelona london paris china beijing shanghai taobao alibaba weixin wechat tencent woaini woaini1314 aini nihao
zhongguo wangyi qq163 mima mimashi wodemima caonima xiaoming zhangwei wangwei liming zhangsan lisi 5201314 1314520 520520 wo aini`
const DIGITS = `0 1 12 123 1234 12345 123456 1234567 12345678 123456789 1234567890 0123456789 987654321 87654321 7654321 654321 54321 4321 321 111111 11111111
000000 00000000 666666 888888 88888888 168168 123123 123321 112233 121212 131313 159753 147258 147258369 789456 789456123 520 1314 5201314 2020 2021 2022 2023 2024
2025 2026 2027 99 88 77 69 01 007`

const LEET: Record<string, string> = { '0': 'o', '1': 'l', '3': 'e', '4': 'a', '5': 's', '7': 't', '@': 'a', $: 's', '!': 'i' }

const split = (s: string): string[] => s.split(/\s+/).filter(Boolean)

let known: Set<string> | null = null

/** Lower-case entries; callers compare in the same form. */
function list(): Set<string> {
  if (known) return known
  const words = split(WORDS)
  const digits = split(DIGITS)
  known = new Set([...words, ...digits])
  for (const w of words) {
    known.add(w + w)
    for (const d of digits) known.add(w + d).add(d + w)
  }
  return known
}

/** `P@ssw0rd` → `password`. Digits at the end stay digits: they are decoration, handled by the caller. */
export const unleet = (s: string): string => s.replace(/[013457@$!]/g, (c) => LEET[c] ?? c)

export const isCommon = (lower: string): boolean => list().has(lower)

export const commonCount = (): number => list().size
