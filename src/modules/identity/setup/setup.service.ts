import { Problem, Refusal, type Locale } from '../../../kernel/base/index.ts'
import { contextOf, type Context, type IdentityDeps } from '../context.ts'
import { isSetUp, setUp } from '../set-up.ts'
import { enrolment, newTotpSecret, totpStep, type Enrolment } from '../totp.ts'
import { SetUpLink } from './link.ts'

export interface Kit {
  makeRecoveryKit(): Promise<string>
  /** May throw a Refusal on a slip in typing. */
  verifyRecoveryKit(text: string): boolean | Promise<boolean>
}

export interface SetUpForm {
  organisation: string
  country: string
  locale: Locale
  ownerName: string
  ownerEmail: string
  ownerPassword: string
  /** Take the authenticator that was confirmed. */
  totp: boolean
}

/** Set-up through the page: what the page has been given and has proven, until it is done. */
export class SetUpPage {
  readonly #deps: IdentityDeps
  readonly #c: Context
  readonly #kit: Kit
  readonly #done: () => void | Promise<void>
  readonly #afterwards: (() => void)[] = []
  readonly link: SetUpLink

  constructor(deps: IdentityDeps, kit: Kit, done: () => void | Promise<void> = () => undefined) {
    this.#deps = deps
    this.#c = contextOf(deps)
    this.#kit = kit
    this.#done = done
    this.link = new SetUpLink(() => this.#c.now())
  }

  /** Begun once there is an owner; the page does not wait for it. */
  afterwards(begin: () => void): void {
    this.#afterwards.push(begin)
  }

  /** The link to show at start, or null once there is an owner. */
  async url(origin: string): Promise<string | null> {
    return (await isSetUp(this.#c.db)) ? null : this.link.url(origin)
  }

  async open(secret: string): Promise<void> {
    this.link.check(secret)
    if (await isSetUp(this.#c.db)) throw new Problem('already-set-up')
  }

  async offerTotp(secret: string, email: string, organisation: string): Promise<Enrolment> {
    await this.open(secret)
    const fresh = newTotpSecret()
    this.link.totp = { secret: fresh, lastStep: null }
    return enrolment(fresh, email, `Sealbook ${organisation}`)
  }

  async makeKit(secret: string): Promise<string> {
    await this.open(secret)
    this.link.kitRead = false
    return this.#kit.makeRecoveryKit()
  }

  async readKit(secret: string, code: string): Promise<boolean> {
    await this.open(secret)
    this.link.kitRead = await Promise.resolve()
      .then(() => this.#kit.verifyRecoveryKit(code))
      .catch((error: unknown) => {
        if (error instanceof Refusal) return false
        throw error
      })
    return this.link.kitRead
  }

  /** Checked while the code is good; what follows may take longer than thirty seconds. */
  async confirmTotp(secret: string, code: string): Promise<void> {
    await this.open(secret)
    const offered = this.link.totp
    const lastStep = offered ? totpStep(offered.secret, code.replace(/\s/g, ''), this.#c.now(), null) : null
    if (!offered || lastStep === null) throw new Problem('invalid', { errors: [{ path: 'code', code: 'code-wrong' }] })
    this.link.totp = { secret: offered.secret, lastStep }
  }

  #confirmed(): { secret: Buffer; lastStep: number } {
    const totp = this.link.totp
    if (!totp || totp.lastStep === null) throw new Problem('invalid', { errors: [{ path: 'totp', code: 'code-wrong' }] })
    return { secret: totp.secret, lastStep: totp.lastStep }
  }

  /** Makes the owner. Without a recovery kit that was read back there is no way into a lost instance, so it comes first. */
  async complete(secret: string, form: SetUpForm): Promise<string[]> {
    await this.open(secret)
    if (!this.link.kitRead) throw new Problem('invalid', { errors: [{ path: 'kit', code: 'kit-not-read' }] })
    const { totp, ...words } = form
    const made = await setUp(this.#deps, { ...words, totp: totp ? this.#confirmed() : undefined, token: false })
    this.link.use()
    await this.#done()
    for (const begin of this.#afterwards) begin()
    return made.recoveryCodes
  }
}
