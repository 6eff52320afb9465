/** Bytes that can be read anywhere: the sealed file that just arrived. */
export interface Readable {
  readonly size: number
  range(start: number, end: number): Promise<Buffer>
}

const EOCD = 22
const MOST_COMMENT = 65_535
const MOST_DIRECTORY = 4 * 1024 * 1024
const OFFICE = 'application/vnd.openxmlformats-officedocument.'
const ODF = 'application/vnd.oasis.opendocument.'

/** Names in archives that a double click runs. */
const PROGRAM = /(?:\.(?:exe|com|scr|pif|bat|cmd|vbs|vbe|js|jse|wsf|wsh|hta|lnk|ps1|msi|msp|dll|cpl|jar|apk|reg|iso|img|app\/contents\/info\.plist)|^meta-inf\/manifest\.mf|^androidmanifest\.xml)$/i
/** Macros of office documents. */
const MACROS = /(?:^|\/)(?:vbaproject\.bin|vbadata\.xml|activex\d*\.(?:bin|xml))$|^basic\/.+\.xml$/i

/** An entry that Unix takes for a link: unpacked, the next one may be written where it leads. */
const isLink = (entry: Buffer): boolean => entry[5] === 3 && (entry.readUInt32LE(38) >>> 28) === 0xa

/** The names in a zip archive's directory, which is what programs go by; null where there is none that holds together, and where there is a link. */
async function zipNames(file: Readable): Promise<string[] | null> {
  const tail = await file.range(Math.max(0, file.size - EOCD - MOST_COMMENT), file.size)
  const at = tail.lastIndexOf(Buffer.from([0x50, 0x4b, 5, 6]))
  if (at < 0 || at + EOCD > tail.length) return null
  const size = tail.readUInt32LE(at + 12)
  const start = tail.readUInt32LE(at + 16)
  // Beyond 4 GiB or 65,535 entries another record counts; no file here is so large.
  if (size > MOST_DIRECTORY || start + size > file.size) return null
  const directory = await file.range(start, start + size)
  const names: string[] = []
  for (let p = 0; p < directory.length; ) {
    if (p + 46 > directory.length || directory.readUInt32LE(p) !== 0x02014b50 || isLink(directory.subarray(p, p + 46))) return null
    const end = p + 46 + directory.readUInt16LE(p + 28)
    if (end > directory.length) return null
    names.push(directory.subarray(p + 46, end).toString('utf8').replaceAll('\\', '/'))
    p = end + directory.readUInt16LE(p + 30) + directory.readUInt16LE(p + 32)
  }
  return names.length === tail.readUInt16LE(at + 10) ? names : null
}

/** OpenDocument says its type in its first, uncompressed entry. */
async function odfType(file: Readable): Promise<string | null> {
  const head = (await file.range(0, Math.min(file.size, 128))).toString('latin1')
  if (head.slice(30, 38) !== 'mimetype') return null
  return ['text', 'spreadsheet', 'presentation'].map((kind) => `${ODF}${kind}`).find((type) => head.slice(38).startsWith(type)) ?? null
}

/** A zip archive's type by what is in it; null for programs, macros, and what is no archive. Nothing is unpacked. */
export async function zipType(file: Readable): Promise<string | null> {
  const names = await zipNames(file)
  if (!names || names.some((n) => PROGRAM.test(n) || MACROS.test(n))) return null
  const odf = await odfType(file)
  if (odf) return odf
  const has = (start: string): boolean => names.some((n) => n.toLowerCase().startsWith(start))
  if (!has('[content_types].xml')) return 'application/zip'
  if (has('word/')) return `${OFFICE}wordprocessingml.document`
  if (has('xl/')) return `${OFFICE}spreadsheetml.sheet`
  return has('ppt/') ? `${OFFICE}presentationml.presentation` : null
}

const MOST_SECTORS = 256
const IN_HEADER = 109
const END = 0xfffffffa

/** Names of the streams and storages of a compound file ([MS-CFB]); null where its directory does not hold together. */
async function cfbNames(file: Readable): Promise<Set<string> | null> {
  if (file.size < 512) return null
  const head = await file.range(0, 512)
  const shift = head.readUInt16LE(30)
  if (shift !== 9 && shift !== 12) return null
  const size = 2 ** shift
  const sector = async (n: number): Promise<Buffer | null> => {
    const start = (n + 1) * size
    return start + size > file.size ? null : file.range(start, start + size)
  }
  const next = async (n: number): Promise<number | null> => {
    const place = Math.floor(n / (size / 4))
    // Directories of documents begin early; a file whose allocation table goes on elsewhere is not looked through.
    const table = place < IN_HEADER ? await sector(head.readUInt32LE(76 + 4 * place)) : null
    return table ? table.readUInt32LE(4 * (n % (size / 4))) : null
  }
  const names = new Set<string>()
  let n: number | null = head.readUInt32LE(48)
  for (let seen = 0; n !== null && n < END; seen++) {
    const bytes = seen < MOST_SECTORS ? await sector(n) : null
    if (!bytes) return null
    for (let p = 0; p + 128 <= bytes.length; p += 128) names.add(bytes.subarray(p, p + Math.max(0, Math.min(64, bytes.readUInt16LE(p + 64)) - 2)).toString('utf16le'))
    n = await next(n)
  }
  return n === null ? null : names
}

const CFB_TYPES: readonly [string, string][] = [
  ['WordDocument', 'application/msword'],
  ['Workbook', 'application/vnd.ms-excel'],
  ['Book', 'application/vnd.ms-excel'],
  ['PowerPoint Document', 'application/vnd.ms-powerpoint'],
  ['VisioDocument', 'application/vnd.visio'],
  ['__properties_version1.0', 'application/vnd.ms-outlook'],
  ['EncryptedPackage', 'application/x-cfb'],
]
const CFB_MACROS = ['Macros', 'VBA', '_VBA_PROJECT_CUR', '_VBA_PROJECT']

/** An old office document's type; null for installers (which are such files, too), macros, and whatever else. */
export async function cfbType(file: Readable): Promise<string | null> {
  const names = await cfbNames(file)
  if (!names || CFB_MACROS.some((m) => names.has(m))) return null
  return CFB_TYPES.find(([stream]) => names.has(stream))?.[1] ?? null
}
