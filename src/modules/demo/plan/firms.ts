import type { Calendar } from './calendar.ts'
import type { MakeId } from './ids.ts'
import { random, type Random } from './random.ts'
import { phonesOf, tagsOf } from './points.ts'
import type { Firm, Planned, Seller, Tongue } from './types.ts'
import { phrases } from './phrases.ts'
import { chinese, english } from './words.ts'

const FIRMS = 600
const CHINESE_PERCENT = 72
const SIZES = ['micro', 'small', 'small', 'medium', 'medium', 'large']

export interface Firms {
  firms: Firm[]
  records: Planned[]
}

/** Every name says that it is an example. */
function nameOf(from: Random, tongue: Tongue, city: string): { name: string; legal: string; domain: string } {
  if (tongue === 'zh') {
    const [fancy, trade, form] = [chinese.fancy.draw(from), chinese.trades.draw(from), chinese.forms.draw(from)]
    return { name: `${fancy}示例${trade}`, legal: `${city}${fancy}示例${trade}${form}`, domain: `demo-${from.below(100_000)}` }
  }
  const [first, second, kind] = [english.companyFirst.draw(from), english.companySecond.draw(from), english.companyKind.draw(from)]
  const name = `${first}${second} Example ${kind === '&' ? '& Sons' : kind}`
  return { name, legal: name, domain: `${first}${second}`.toLowerCase() }
}

function stageOf(from: Random, age: number): string {
  const chance = from.below(100)
  if (age < 0.15) return chance < 70 ? 'prospect' : 'active'
  return chance < 30 ? 'prospect' : chance < 80 ? 'active' : chance < 93 ? 'dormant' : 'former'
}

/** Companies over the whole time; every thirtieth belongs to an earlier one of the same language. */
export function firmsOf(id: MakeId, calendar: Calendar, sellers: readonly Seller[]): Firms {
  const from = random(0xf1_4e)
  const times = Array.from({ length: FIRMS }, () => calendar.between(from, calendar.begin, calendar.end)).sort((a, b) => a - b)
  const of = (tongue: Tongue): Seller[] => sellers.filter((s) => s.tongue === tongue)
  const out: Firms = { firms: [], records: [] }
  for (const [i, at] of times.entries()) {
    const tongue: Tongue = from.below(100) < CHINESE_PERCENT ? 'zh' : 'en'
    const city = (tongue === 'zh' ? chinese : english).cities.draw(from)
    const { name, legal, domain } = nameOf(from, tongue, city)
    const firm: Firm = { id: id(at), at, tongue, name, city, owner: from.pick(of(tongue)) }
    const above = i % 30 === 29 ? out.firms.find((f) => f.tongue === tongue) : undefined
    const input = {
      name, legalName: legal, city, industry: phrases.industries[tongue].draw(from), size: from.pick(SIZES), stage: stageOf(from, (calendar.end - at) / (calendar.end - calendar.begin)),
      website: `https://www.${domain}.example`, phones: from.oneIn(3) ? phonesOf(from, tongue, 'office') : [], address: phrases.address(from, tongue, city), source: phrases.sources[tongue].draw(from), tags: tagsOf(from, tongue),
      ...(above ? { parentId: above.id } : {}), ...(from.oneIn(6) ? { note: phrases.notes[tongue].draw(from) } : {}),
    }
    out.firms.push(firm)
    out.records.push({ noun: 'company', id: firm.id, at, ownerId: firm.owner.id, input, moves: [] })
  }
  return out
}

