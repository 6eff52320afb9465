import { domainToASCII } from 'node:url'

/** The longest address SMTP can carry (RFC 5321 §4.5.3.1.3). */
const longestAddress = 254

/**
 * The normal form of an e-mail address: trimmed, NFKC, lower case, domain in its ASCII form (IDNA, UTS 46), display name and
 * `mailto:` dropped; null when it is no address. The local part is lowered too: it may differ by case in theory, and in
 * no mailbox a person would call another's. Dots and `+tags` stay: only the receiving host knows what they mean.
 */
export function normaliseEmail(typed: string): string | null {
  const text = typed.normalize('NFKC').replace(invisible, '').trim()
  const bare = /<([^<>]*)>$/.exec(text)?.[1]?.trim() ?? text.replace(/^mailto:\s*/i, '')
  const lower = bare.toLowerCase()
  const at = lower.lastIndexOf('@')
  const local = lower.slice(0, at)
  if (at < 1 || !localPart.test(local) || local.length > 64) return null
  const domain = asciiDomain(lower.slice(at + 1))
  if (domain === null) return null
  const address = `${local}@${domain}`
  return address.length <= longestAddress ? address : null
}

/** Zero-width characters and bidi marks that copying from web pages brings along. */
const invisible = /[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g

/** RFC 5322 dot-atom with RFC 6532 letters; quoted local parts are left to those who have one. */
const localPart = /^[\p{L}\p{N}\p{M}!#$%&'*+/=?^_`{|}~-]+(?:\.[\p{L}\p{N}\p{M}!#$%&'*+/=?^_`{|}~-]+)*$/u

const asciiName = /^(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?$/

function asciiDomain(typed: string): string | null {
  if (asciiName.test(typed) && !typed.includes('xn--')) return typed
  // domainToASCII would also turn `1.2` into an IP address and `a/b` into a host `a`; what it returns is checked again.
  if (/[\s/\\?#@:%[\]]/.test(typed)) return null
  const ascii = domainToASCII(typed)
  return asciiName.test(ascii) ? ascii : null
}
