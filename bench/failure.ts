/** Ends the bench with one sentence and its exit code. */
export class BenchFailure extends Error {
  readonly exitCode: 1 | 2

  constructor(sentence: string, exitCode: 1 | 2 = 1) {
    super(sentence)
    this.name = 'BenchFailure'
    this.exitCode = exitCode
  }
}
