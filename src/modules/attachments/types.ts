/** Every type that is taken, with the extensions a file of it may have; the first one is given to a file that has another. */
const EXTENSIONS: Readonly<Record<string, readonly string[]>> = {
  'image/jpeg': ['jpg', 'jpeg', 'jpe', 'jfif'],
  'image/png': ['png'],
  'image/gif': ['gif'],
  'image/webp': ['webp'],
  'image/bmp': ['bmp', 'dib'],
  'image/tiff': ['tif', 'tiff'],
  'image/heic': ['heic', 'heif'],
  'image/avif': ['avif'],
  'application/pdf': ['pdf'],
  'application/rtf': ['rtf', 'doc'],
  'application/vnd.openxmlformats-officedocument.wordprocessingml.document': ['docx', 'dotx'],
  'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet': ['xlsx', 'xltx'],
  'application/vnd.openxmlformats-officedocument.presentationml.presentation': ['pptx', 'potx', 'ppsx'],
  'application/vnd.oasis.opendocument.text': ['odt', 'ott'],
  'application/vnd.oasis.opendocument.spreadsheet': ['ods', 'ots'],
  'application/vnd.oasis.opendocument.presentation': ['odp', 'otp'],
  'application/msword': ['doc', 'dot', 'wps'],
  'application/vnd.ms-excel': ['xls', 'xlt', 'et'],
  'application/vnd.ms-powerpoint': ['ppt', 'pps', 'pot', 'dps'],
  'application/vnd.visio': ['vsd'],
  'application/vnd.ms-outlook': ['msg'],
  /** An office document under a password: which one, nobody sees from outside. */
  'application/x-cfb': ['docx', 'xlsx', 'pptx', 'doc', 'xls', 'ppt'],
  'application/zip': ['zip'],
  'application/x-7z-compressed': ['7z'],
  'application/vnd.rar': ['rar'],
  'application/gzip': ['gz', 'tgz'],
  'audio/mpeg': ['mp3'],
  'audio/wav': ['wav'],
  'audio/ogg': ['ogg', 'oga', 'opus'],
  'audio/amr': ['amr'],
  'audio/mp4': ['m4a'],
  'video/mp4': ['mp4', 'm4v', 'mov'],
  'text/plain': ['txt', 'md', 'log', 'tsv', 'json', 'yaml', 'yml', 'eml', 'ini'],
  'text/csv': ['csv'],
  'text/vcard': ['vcf'],
  'text/calendar': ['ics'],
}

export const extensionsOf = (mediaType: string): readonly string[] => EXTENSIONS[mediaType] ?? []

/** Pictures that a preview is made of. */
const PREVIEWED: ReadonlySet<string> = new Set(['image/jpeg', 'image/png', 'image/gif', 'image/webp', 'image/tiff', 'image/avif'])

export const hasPreview = (mediaType: string): boolean => PREVIEWED.has(mediaType)
