import { givenNames, surnames, type Spelt } from '../../src/modules/demo/plan/names-zh.ts'
import { random, type Random } from '../../src/modules/demo/plan/random.ts'
import { chinese, english } from '../../src/modules/demo/plan/words.ts'

export { givenNameWeights, surnameWeights } from '../../src/modules/demo/plan/names-zh.ts'

/** An invented person. Addresses stand in domains reserved for examples (RFC 2606); numbers are random in valid ranges. */
export interface GeneratedContact {
  fullName: string
  /** Latin letters of the name, for e-mails and for tests of search: `wangxiaoming`, `annlee`. */
  spelling: string
  emails: string[]
  /** As people type them. */
  phones: string[]
  company: string
  title: string
  city: string
  tags: string[]
  source: string
  note: string
  /** ISO 8601 UTC. */
  createdAt: string
  locale: 'zh' | 'en'
}

export interface GeneratedCompany {
  name: string
  city: string
  locale: 'zh' | 'en'
}

export interface GenerateOptions {
  /** Share of Chinese people, 0 to 1; the others have English names. */
  zh?: number
  /** People per company, on average. */
  perCompany?: number
}

/** The first contact of every set: found by 小明, wangxiaoming, wxm, 8000, and by a typo such as wangxiaomin. */
export const wangXiaoming: GeneratedContact = {
  fullName: '王小明',
  spelling: 'wangxiaoming',
  emails: ['wangxiaoming@mail.example'],
  phones: ['13800138000'],
  company: '北京星河科技有限公司',
  title: '销售经理',
  city: '北京',
  tags: ['老客户', 'VIP'],
  source: '展会',
  note: '展会上认识，对新产品感兴趣，下周回访。',
  createdAt: '2024-03-05T01:00:00.000Z',
  locale: 'zh',
}

/** `n` contacts, one at a time; the same for the same arguments on every platform, and a shorter set is the beginning of a longer one with the same number of companies. */
export function* generateContacts(n: number, seed = 1, options: GenerateOptions = {}): Generator<GeneratedContact> {
  const { zh = 0.8, perCompany = 12 } = options
  const from = random(seed)
  const firms = { zh: [] as GeneratedCompany[], en: [] as GeneratedCompany[] }
  const count = Math.min(50_000, Math.max(8, Math.ceil(n / perCompany)))
  for (const firm of generateCompanies(count, seed ^ 0x5ea1, { zh })) firms[firm.locale].push(firm)
  for (let i = 0; i < n; i++) {
    if (i === 0) yield wangXiaoming
    else if (from.next() < zh * 0x1_0000_0000 && firms.zh.length > 0) yield chineseContact(from, i, firms.zh)
    else if (firms.en.length > 0) yield englishContact(from, i, firms.en)
    else yield chineseContact(from, i, firms.zh)
  }
}

/** `n` companies, names may repeat as they do in life. */
export function* generateCompanies(n: number, seed = 1, options: Pick<GenerateOptions, 'zh'> = {}): Generator<GeneratedCompany> {
  const from = random(seed)
  const share = (options.zh ?? 0.8) * 0x1_0000_0000
  for (let i = 0; i < n; i++) yield from.next() < share ? chineseCompany(from) : englishCompany(from)
}

function chineseCompany(from: Random): GeneratedCompany {
  const city = chinese.cities.draw(from)
  return { name: city + chinese.fancy.draw(from) + chinese.trades.draw(from) + chinese.forms.draw(from), city, locale: 'zh' }
}

function englishCompany(from: Random): GeneratedCompany {
  const kind = english.companyKind.draw(from)
  const name = `${english.companyFirst.draw(from)}${english.companySecond.draw(from)} ${kind === '&' ? '& Sons' : kind}`
  return { name, city: english.cities.draw(from), locale: 'en' }
}

function chineseContact(from: Random, i: number, firms: readonly GeneratedCompany[]): GeneratedContact {
  const surname = surnames.draw(from)
  const given = givenName(from)
  const firm = firms[skewed(from, firms.length)] ?? chineseCompany(from)
  const spelling = surname.pinyin + given.pinyin
  return {
    fullName: surname.han + given.han,
    spelling,
    emails: from.oneIn(12) ? [] : [address(from, surname.pinyin, given.pinyin, i)],
    phones: chinesePhones(from),
    company: firm.name,
    title: chinese.titles.draw(from),
    city: from.oneIn(5) ? chinese.cities.draw(from) : firm.city,
    tags: tags(from),
    source: chinese.sources.draw(from),
    note: from.below(10) < 3 ? from.pick(chinese.notes) : '',
    createdAt: instant(from),
    locale: 'zh',
  }
}

function englishContact(from: Random, i: number, firms: readonly GeneratedCompany[]): GeneratedContact {
  const first = english.first.draw(from)
  const last = english.last.draw(from)
  const firm = firms[skewed(from, firms.length)] ?? englishCompany(from)
  const [a, b] = [first.toLowerCase(), last.toLowerCase().replace("'", '')]
  return {
    fullName: `${first} ${last}`,
    spelling: a + b,
    emails: [address(from, a, b, i)],
    phones: from.oneIn(10) ? [] : [americanPhone(from)],
    company: firm.name,
    title: english.titles.draw(from).replaceAll('_', ' '),
    city: firm.city,
    tags: tags(from),
    source: chinese.sources.draw(from),
    note: from.below(10) < 3 ? from.pick(english.notes) : '',
    createdAt: instant(from),
    locale: 'en',
  }
}

function givenName(from: Random): Spelt {
  if (from.next() < givenNames.wholeShare * 0x1_0000_0000) return givenNames.whole.draw(from)
  const a = givenNames.first.draw(from)
  const b = givenNames.second.draw(from)
  return { han: a.han + b.han, pinyin: a.pinyin + b.pinyin }
}

/** Few firms have many people. */
function skewed(from: Random, length: number): number {
  const u = from.next() / 0x1_0000_0000
  return Math.floor(u * u * length)
}

const domains = ['mail.example', 'post.example', 'example.com', 'example.net', 'example.org', 'corp.example']

/** The number keeps addresses apart, as it does in life. */
function address(from: Random, a: string, b: string, i: number): string {
  const form = from.below(4)
  const local = form === 0 ? `${a}${b}${i}` : form === 1 ? `${b}.${a}${i}` : form === 2 ? `${a.charAt(0)}${b}${i}` : `${a}_${b}.${i}`
  return `${local}@${from.pick(domains)}`
}

function chinesePhones(from: Random): string[] {
  const phones = [mobile(from)]
  if (from.oneIn(6)) phones.push(landline(from))
  if (from.oneIn(25)) phones.push(mobile(from))
  return phones
}

function mobile(from: Random): string {
  const prefix = from.pick(chinese.mobilePrefixes)
  const tail = digits(from, 8)
  const form = from.below(20)
  if (form === 0) return `+86 ${prefix} ${tail.slice(0, 4)} ${tail.slice(4)}`
  if (form < 3) return `${prefix}-${tail.slice(0, 4)}-${tail.slice(4)}`
  return form === 3 ? `${prefix} ${tail.slice(0, 4)} ${tail.slice(4)}` : prefix + tail
}

function landline(from: Random): string {
  const number = `${from.pick(chinese.landlines)}-${6 + from.below(3)}${digits(from, 7)}`
  return from.oneIn(4) ? `${number}转${100 + from.below(900)}` : number
}

/** Exchange 555 belongs to nobody. */
function americanPhone(from: Random): string {
  const area = from.pick(['212', '312', '415', '512', '617', '206', '303', '404'])
  const tail = digits(from, 4)
  return from.oneIn(3) ? `(${area}) 555-${tail} x${from.below(9000) + 100}` : `${area}-555-${tail}`
}

function digits(from: Random, count: number): string {
  return String(from.below(10 ** count)).padStart(count, '0')
}

function tags(from: Random): string[] {
  const count = from.below(10)
  if (count < 6) return []
  const first = chinese.tags.draw(from)
  const second = count === 9 ? chinese.tags.draw(from) : first
  return first === second ? [first] : [first, second]
}

/** 2018 to 2025. */
function instant(from: Random): string {
  return new Date(1_514_764_800_000 + from.below(2_922 * 86_400) * 1000).toISOString()
}
