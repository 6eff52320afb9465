import { randomBytes } from 'node:crypto'
import { Secret, TOTP } from 'otpauth'
import { toString as qrSvg } from 'qrcode'
import { lengthPrefixed } from '../../kernel/base/index.ts'
import type { Vault } from '../../kernel/vault/types.ts'

// What every authenticator app understands (RFC 6238): SHA-1, six digits, thirty seconds; one step of clock difference either way.
const PERIOD = 30
const WINDOW = 1
const SECRET_BYTES = 20

export interface Enrolment {
  /** Base32, for typing. */
  secret: string
  uri: string
  /** The URI as a QR code, an SVG image. */
  qrSvg: string
}

const make = (secret: Secret, label: string, issuer: string): TOTP => new TOTP({ issuer, label, secret, algorithm: 'SHA1', digits: 6, period: PERIOD })

export const newTotpSecret = (): Buffer => randomBytes(SECRET_BYTES)

const secretOf = (bytes: Uint8Array): Secret => new Secret({ buffer: new Uint8Array(bytes).buffer })

export async function enrolment(secret: Uint8Array, label: string, issuer: string): Promise<Enrolment> {
  const uri = make(secretOf(secret), label, issuer).toString()
  return { secret: secretOf(secret).base32, uri, qrSvg: await qrSvg(uri, { type: 'svg', margin: 2, errorCorrectionLevel: 'M' }) }
}

/** The time step a code belongs to, or null when it fits none that is newer than `after`. */
export function totpStep(secret: Uint8Array, code: string, now: Date, after: number | null): number | null {
  if (!/^\d{6}$/.test(code)) return null
  const delta = make(secretOf(secret), '', '').validate({ token: code, timestamp: now.getTime(), window: WINDOW })
  if (delta === null) return null
  const step = Math.floor(now.getTime() / 1000 / PERIOD) + delta
  return after !== null && step <= after ? null : step
}

export const secretFromBase32 = (text: string): Buffer => Buffer.from(Secret.fromBase32(text.replace(/\s/g, '').toUpperCase()).bytes)

const ALPHABET = '23456789ABCDEFGHJKMNPQRSTVWXYZ'
const CODE_LENGTH = 24
export const RECOVERY_CODES = 10

/** 24 letters of an alphabet of 30 without look-alikes: 117 bits, in groups of six. */
export function newCode(): string {
  let out = ''
  while (out.length < CODE_LENGTH) {
    // 240 = 8 × 30: bytes above it are thrown away, so that every letter is equally likely.
    for (const b of randomBytes(32)) if (b < 240 && out.length < CODE_LENGTH) out += ALPHABET[b % ALPHABET.length]
  }
  return out.match(/.{6}/g)!.join('-')
}

const normalCode = (code: string): string => code.toUpperCase().replace(/[^0-9A-Z]/g, '')

export const looksLikeCode = (code: string): boolean => normalCode(code).length === CODE_LENGTH

export function codeDigest(vault: Vault, kind: 'recovery' | 'reset', personId: string, code: string): Buffer {
  return vault.mac('pepper', lengthPrefixed([kind, personId, normalCode(code)]))
}
