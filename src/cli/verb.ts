import type { Locale } from '../kernel/base/index.ts'

/** One flag of a verb. `value` names its value in the usage text; without it the flag is a switch. */
export interface Flag {
  value?: string
  required?: true
  multiple?: true
  /** The only values it takes. */
  oneOf?: readonly string[]
  says: readonly [en: string, zh: string]
}

export interface Verb {
  /** The words after the program's name: `user create`. */
  name: string
  says: readonly [en: string, zh: string]
  /** Names of the positional arguments, all required. */
  positionals?: readonly string[]
  flags?: Readonly<Record<string, Flag>>
  run(terminal: Terminal, given: Given): Promise<Outcome>
}

/** What was given on the command line, already checked against the verb's flags. */
export interface Given {
  positional(index: number): string
  /** Value of a required flag. */
  text(flag: string): string
  /** Value of an optional flag. */
  maybe(flag: string): string | undefined
  all(flag: string): readonly string[]
  has(flag: string): boolean
}

export interface Terminal {
  /** The environment with --home laid over it. Read by loadConfig and clientSettings only. */
  readonly env: Readonly<Record<string, string | undefined>>
  readonly locale: Locale
  readonly json: boolean
  /** The sentence in the person's language. */
  say(en: string, zh: string): string
  /** One line of progress; on stderr, so that stdout stays one JSON document. */
  progress(en: string, zh: string): void
}

/** What a verb leaves behind. `findings` become the `problem` member of the document and the exit code. */
export interface Outcome {
  /** The document of the contract, printed with --json; undefined when the verb has printed it already. */
  document: unknown
  /** The same for people. Bytes go out as they are. */
  text: string | Uint8Array
  findings?: { exitCode: 1 | 3 | 5; code: string; says: string } | { exitCode: 1 | 3; problem: object }
}
