/** Loaded before a server (`NODE_OPTIONS=--import`), it moves that process's clock on by CLOCK_AHEAD_DAYS. */
const ahead = Number(process.env['CLOCK_AHEAD_DAYS'] ?? 0) * 86_400_000
const RealDate = Date

globalThis.Date = class extends RealDate {
  constructor(...words: []) {
    super(...((words.length === 0 ? [RealDate.now() + ahead] : words) as [])) // as Date itself takes them
  }

  static override now(): number {
    return RealDate.now() + ahead
  }
} as DateConstructor
