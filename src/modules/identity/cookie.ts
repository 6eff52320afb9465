import { ABSOLUTE_MS } from './sessions.store.ts'

const COOKIE = '__Host-session'

/** The prefix makes browsers insist on Secure, Path=/ and no Domain, so no neighbour can set or read it. */
export const cookieOf = (secret: string): string => `${COOKIE}=${secret}; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=${ABSOLUTE_MS / 1000}`

export const NO_COOKIE = `${COOKIE}=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0`

/** The session secret of a Cookie header. */
export function cookieSecret(header: string | undefined): string | null {
  for (const part of (header ?? '').split(';')) {
    const at = part.indexOf('=')
    if (at > 0 && part.slice(0, at).trim() === COOKIE) return /^[A-Za-z0-9_-]{43}$/.exec(part.slice(at + 1).trim())?.[0] ?? null
  }
  return null
}
