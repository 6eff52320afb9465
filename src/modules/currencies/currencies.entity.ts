import { date, defineEntity, oneOf, text } from '../../kernel/entity/index.ts'

export const CURRENCIES = Intl.supportedValuesOf('currency')

/** 汇率: what one unit of a currency is worth in the base currency from a day on, until a later rate. Sealed: the rates a firm reckons with are its own. */
export const Rate = defineEntity('rate', {
  plural: 'exchange-rates',
  table: 'exchange_rates',
  about: 'organisation',
  keep: { years: 10, since: 'updatedAt' },
  fields: {
    currency: oneOf(CURRENCIES, { class: 'internal', edit: true, fixed: true }),
    /** The organisation's base currency when the rate was given; under another one it counts for nothing. */
    base: oneOf(CURRENCIES, { class: 'internal' }),
    /** Today where none is given. Of two rates for one day the one given later counts. */
    day: date({ class: 'confidential', edit: true, fixed: true, find: ['sort'] }),
    /** A decimal number in text, so that no digit is lost: `7.1234`. */
    rate: text(30, { class: 'confidential', edit: true }),
  },
})
