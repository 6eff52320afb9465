import { type Calendar, iso } from './calendar.ts'
import type { MakeId } from './ids.ts'
import { givenNames, surnames } from './names-zh.ts'
import { phrases } from './phrases.ts'
import { phonesOf, tagsOf } from './points.ts'
import { random, type Random } from './random.ts'
import type { Firm, Person, Planned, Tongue } from './types.ts'
import { chinese, english } from './words.ts'

const PERSONS = 5_000
const STAGES = ['active', 'active', 'active', 'active', 'dormant', 'former']

/** A name and its Latin letters. */
export function nameOf(from: Random, tongue: Tongue): { name: string; latin: string } {
  if (tongue === 'en') {
    const [first, last] = [english.first.draw(from), english.last.draw(from)]
    return { name: `${first} ${last}`, latin: `${first}.${last.replace("'", '')}`.toLowerCase() }
  }
  const surname = surnames.draw(from)
  const given = from.below(100) < givenNames.wholeShare * 100 ? [givenNames.whole.draw(from)] : [givenNames.first.draw(from), givenNames.second.draw(from)]
  return { name: surname.han + given.map((g) => g.han).join(''), latin: `${surname.pinyin}.${given.map((g) => g.pinyin).join('')}` }
}

/** Ways to reach somebody; the number keeps addresses apart. */
export function reach(from: Random, tongue: Tongue, latin: string, n: number): Record<string, unknown> {
  return {
    emails: from.oneIn(12) ? [] : [{ value: `${latin}${n}@example.com`, label: 'work' }],
    phones: [...(from.oneIn(10) ? [] : phonesOf(from, tongue, 'mobile')), ...(from.oneIn(6) ? phonesOf(from, tongue, 'office') : [])],
    handles: tongue === 'zh' && from.oneIn(3) ? [{ kind: 'wechat', value: `demo_${latin.replace('.', '')}${n}` }] : [],
  }
}

/** Contacts of the companies, made some time after them; few companies have many. */
export function personsOf(id: MakeId, calendar: Calendar, firms: readonly Firm[]): { persons: Person[]; records: Planned[] } {
  const from = random(0xbe_e5)
  const made = Array.from({ length: PERSONS }, () => {
    const u = from.next() / 2 ** 32
    const firm = firms[Math.floor(u ** 1.6 * firms.length)]!
    return { firm, at: calendar.between(from, firm.at, calendar.end) }
  }).sort((a, b) => a.at - b.at)
  const out: { persons: Person[]; records: Planned[] } = { persons: [], records: [] }
  for (const [n, { firm, at }] of made.entries()) {
    const { tongue } = firm
    const { name, latin } = nameOf(from, tongue)
    const input = {
      fullName: name, ...reach(from, tongue, latin, n), companyId: firm.id, title: (tongue === 'zh' ? chinese : english).titles.draw(from).replaceAll('_', ' '), city: firm.city, stage: from.pick(STAGES),
      tags: tagsOf(from, tongue), source: phrases.sources[tongue].draw(from), collectedAt: iso(at), doNotContact: from.oneIn(40) ? ['phone', 'sms'] : [], ...(from.oneIn(4) ? { note: phrases.notes[tongue].draw(from) } : {}),
    }
    const person: Person = { id: id(at), at, firm }
    out.persons.push(person)
    out.records.push({ noun: 'contact', id: person.id, at, ownerId: firm.owner.id, input, moves: [] })
  }
  return out
}
