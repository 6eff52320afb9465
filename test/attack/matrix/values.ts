import { z, type ZodType } from 'zod'
import type { Field } from '../../../src/kernel/entity/index.ts'

/** Where a value was planted. */
export interface Planted {
  recordId: string
  noun: string
  field: string
}

type Schema = { type?: string; properties?: Record<string, Schema>; items?: Schema; anyOf?: Schema[]; oneOf?: Schema[]; enum?: unknown[]; const?: unknown; format?: string; pattern?: string; minimum?: number; exclusiveMinimum?: number; maximum?: number; minLength?: number; maxLength?: number; required?: string[] }

export function schemaOf(type: ZodType): Schema {
  try {
    return z.toJSONSchema(type, { io: 'input', unrepresentable: 'any' }) as Schema
  } catch {
    return {}
  }
}

/** Something a schema takes. `uuid`: what stands for an id in it; `all`: also what is optional. */
export function example(schema: Schema, mark: string, uuid: string, all = true): unknown {
  const [first] = [...(schema.anyOf ?? []), ...(schema.oneOf ?? [])].filter((s) => s.type !== 'null')
  if (schema.const !== undefined) return schema.const
  if (schema.enum) return schema.enum[0]
  if (first) return example(first, mark, uuid, all)
  if (schema.type === 'object') {
    const wanted = Object.entries(schema.properties ?? {}).filter(([name]) => all || schema.required?.includes(name))
    return Object.fromEntries(wanted.map(([name, s]) => [name, name === 'currency' ? 'CNY' : example(s, mark, uuid, all)]))
  }
  if (schema.type === 'array') return schema.items ? [example(schema.items, mark, uuid, all)] : []
  if (schema.type === 'boolean') return false
  if (schema.type === 'integer' || schema.type === 'number') return Math.max(schema.minimum ?? (schema.exclusiveMinimum ?? 0) + 1, 1)
  if (schema.type !== 'string') return undefined
  if (schema.format === 'uuid') return uuid
  if (schema.format === 'date') return '2031-01-01'
  if (schema.format === 'date-time') return '2031-01-01T00:00:00.000Z'
  return (schema.maxLength ?? 1_000) < mark.length ? mark.slice(-(schema.maxLength ?? 0)) : mark
}

/** Marks every value with a word of its own, and knows them again wherever they turn up. */
export class Canaries {
  readonly planted = new Map<string, Planted>()
  #serial = 0

  /** A value for a field, and the words it will be known by; undefined where the field takes nothing that could be known. */
  value(field: Field, at: Planted, uuid: string): unknown {
    const one = this.#one(field, at, uuid)
    return one === undefined || !field.many ? one : [one]
  }

  text(at: Planted): string {
    return this.#keep(`cnry${(2_176_782_336 + ++this.#serial * 7_919).toString(36)}`, at)
  }

  /** Every planted value in a text. */
  in(text: string): { word: string; at: Planted }[] {
    const words = new Set(text.match(/cnry[a-z0-9]{7}|1212555\d{4}|7000\d{4}|20[4-9]\d-\d\d-\d\d/g) ?? [])
    return [...words].flatMap((word) => {
      const at = this.planted.get(word)
      return at ? [{ word, at }] : []
    })
  }

  #keep(word: string, at: Planted): string {
    this.planted.set(word, at)
    return word
  }

  #one(field: Field, at: Planted, uuid: string): unknown {
    const n = ++this.#serial
    switch (field.kind) {
      case 'text': {
        const { maxLength = 1_000, pattern } = schemaOf(field.many ? z.unknown() : field.input)
        if (pattern || maxLength < 15) return undefined
        return `${this.text(at)}${field.class === 'sensitive' ? '9876' : ''}`
      }
      case 'email': return { value: `${this.text(at)}@kanarie.example`, label: this.text(at) }
      case 'phone': return { typed: `+${this.#keep(`1212555${String(n % 10_000).padStart(4, '0')}`, at)}`, label: this.text(at) }
      case 'handle': return { kind: 'wechat', value: this.text(at) }
      case 'oneOf': return field.values![0]
      case 'time': return `${this.#keep(this.#day(n), at)}T08:00:00.000Z`
      case 'date': return this.#keep(this.#day(n), at)
      case 'money': return { minor: Number(this.#keep(String(70_000_000 + n), at)), currency: 'CNY' }
      case 'number': return example(schemaOf(field.input), '', uuid)
      case 'shape': return example(schemaOf(field.many ? elementOf(field) : field.input), this.text(at), uuid)
      default: return undefined
    }
  }

  #day(n: number): string {
    return new Date(Date.UTC(2040, 0, 1) + n * 86_400_000).toISOString().slice(0, 10)
  }
}

const elementOf = (field: Field): ZodType => (field.input as unknown as { element: ZodType }).element // `many` made it an array
