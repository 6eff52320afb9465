import { extensionsOf } from './types.ts'

const MOST_BYTES = 255

// Control characters; marks that turn the direction of text, so that "gpj.exe" reads "exe.jpg"; characters nobody sees.
const INVISIBLE = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}\p{Default_Ignorable_Code_Point}]/gu
/** What Windows takes for its own, or keeps out of names. */
const RESERVED_CHARACTERS = /[<>:"|?*]/g
const DEVICE = /^(?:con|prn|aux|nul|com\d|lpt\d)(?=\.|$)/i

const bytesOf = (s: string): number => Buffer.byteLength(s)

/** The last dot's word, with its dot; '' where there is none. */
export function extensionOf(name: string): string {
  const at = name.lastIndexOf('.')
  return at > 0 && /^\.[\p{L}\p{N}]{1,10}$/u.test(name.slice(at)) ? name.slice(at) : ''
}

/** Whole characters only, so many of them that with what follows they fit. */
function cut(stem: string, most: number): string {
  let out = ''
  for (const character of stem) {
    if (bytesOf(out) + bytesOf(character) > most) break
    out += character
  }
  return out
}

function fitted(stem: string, extension: string): string {
  return `${cut(stem, MOST_BYTES - bytesOf(extension)).trimEnd()}${extension}`
}

/** A file's name as it may be kept: no folder, nothing invisible, nothing a file system takes amiss, at most 255 bytes. Applied to its own result it changes nothing. */
export function cleanName(given: string): string {
  const last = given.toWellFormed().normalize('NFC').replaceAll(INVISIBLE, '').split(/[/\\]/).at(-1) ?? ''
  const plain = last.replaceAll(RESERVED_CHARACTERS, '_').replaceAll(/\s+/g, ' ').replace(/^[\s.]+/, '').replace(/[\s.]+$/, '').replace(DEVICE, '_$&')
  if (plain === '') return 'file'
  const extension = extensionOf(plain)
  return fitted(plain.slice(0, plain.length - extension.length), extension)
}

/** The name under which a file leaves: it ends as its content does, so that a text called "photo.exe" is not run by whoever opens it. */
export function nameFor(name: string, mediaType: string): string {
  const clean = cleanName(name)
  const extensions = extensionsOf(mediaType)
  return extensions.includes(extensionOf(clean).slice(1).toLowerCase()) ? clean : fitted(clean, `.${extensions[0] ?? 'bin'}`)
}

/** RFC 6266: an ASCII name for old clients, and the real one by RFC 5987. */
export function contentDisposition(name: string): string {
  const ascii = name.normalize('NFKD').replaceAll(/[^\x20-\x7e]/g, '_').replaceAll(/["\\%]/g, '_')
  const encoded = encodeURIComponent(name).replaceAll(/['()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)
  return `attachment; filename="${ascii}"; filename*=UTF-8''${encoded}`
}
