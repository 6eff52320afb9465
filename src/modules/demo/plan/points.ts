import type { Random } from './random.ts'
import type { Tongue } from './types.ts'
import { phrases } from './phrases.ts'

const AREAS = ['202', '206', '212', '213', '215', '303', '305', '312', '404', '412', '415', '503', '512', '602', '617', '702', '713', '808']

/** Numbers nobody can be reached by: exchange 555-01 is kept free for fiction and validates; Chinese ones begin with 154, which no operator has, so they do not. */
export function phonesOf(from: Random, tongue: Tongue, label: 'mobile' | 'office'): { typed: string; label: string }[] {
  const digits = (n: number): string => String(from.below(10 ** n)).padStart(n, '0')
  if (tongue === 'en') return [{ typed: `+1 ${from.pick(AREAS)} 555 01${digits(2)}`, label }]
  return [{ typed: `+86 154 ${digits(4)} ${digits(4)}`, label }]
}

export function tagsOf(from: Random, tongue: Tongue): string[] {
  const count = Math.max(0, from.below(5) - 2)
  return [...new Set(Array.from({ length: count }, () => phrases.tags[tongue].draw(from)))]
}
