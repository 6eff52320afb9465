// Loaded into a server (NODE_OPTIONS=--import) whose clock is to be some days ahead: what takes days must not take days to test.
const ahead = Number(process.env.TEST_DAYS_AHEAD ?? 0) * 86_400_000
const Real = Date
globalThis.Date = class extends Real {
  constructor(...words) {
    if (words.length === 0) super(Real.now() + ahead)
    else super(...words)
  }

  static now() {
    return Real.now() + ahead
  }
}
