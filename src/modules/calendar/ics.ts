/** One entry of a calendar. Times are ISO 8601 UTC. */
export interface CalendarEvent {
  uid: string
  summary: string
  /** Meetings take up time, tasks do not. */
  category: 'MEETING' | 'TASK'
  start: string
  end: string | null
  changedAt: string
  sequence: number
}

const LINE_OCTETS = 75
// A line break may stand in a text; no other control character has a form there.
const CONTROL = /[\u0000-\u0009\u000b-\u001f\u007f\u0085\u2028\u2029]/g

/** TEXT of RFC 5545 §3.3.11. */
export const escapeText = (text: string): string => text.replace(/\r\n?/g, '\n').replace(CONTROL, ' ').replace(/[\\;,]/g, (c) => `\\${c}`).replace(/\n/g, '\\n')

/** A content line in pieces of at most 75 octets, none of which ends inside a character (§3.1). */
export function fold(line: string): string {
  const pieces: string[] = []
  let piece = ''
  let octets = 0
  for (const char of line) {
    const size = Buffer.byteLength(char)
    if (octets + size > LINE_OCTETS) {
      pieces.push(piece)
      piece = ' '
      octets = 1
    }
    piece += char
    octets += size
  }
  return [...pieces, piece].join('\r\n')
}

/** `2027-01-01T09:00:00.000Z` → `20270101T090000Z` */
const stamp = (iso: string): string => `${new Date(iso).toISOString().slice(0, 19).replace(/[-:]/g, '')}Z`

function eventLines(e: CalendarEvent): string[] {
  return [
    'BEGIN:VEVENT',
    `UID:${escapeText(e.uid)}`,
    `DTSTAMP:${stamp(e.changedAt)}`,
    `LAST-MODIFIED:${stamp(e.changedAt)}`,
    `SEQUENCE:${e.sequence}`,
    `DTSTART:${stamp(e.start)}`,
    ...(e.end === null ? [] : [`DTEND:${stamp(e.end)}`]),
    `SUMMARY:${escapeText(e.summary)}`,
    `CATEGORIES:${e.category}`,
    `TRANSP:${e.category === 'TASK' ? 'TRANSPARENT' : 'OPAQUE'}`,
    'CLASS:PRIVATE',
    'END:VEVENT',
  ]
}

/** A calendar of RFC 5545, to be read again every hour. Tasks are events that take up no time: most programs show no VTODO of an address they read. */
export function calendarText(name: string, events: readonly CalendarEvent[]): string {
  const lines = ['BEGIN:VCALENDAR', 'VERSION:2.0', 'PRODID:-//Sealbook//Calendar//EN', 'CALSCALE:GREGORIAN', 'METHOD:PUBLISH', `X-WR-CALNAME:${escapeText(name)}`, 'REFRESH-INTERVAL;VALUE=DURATION:PT1H', ...events.flatMap(eventLines), 'END:VCALENDAR']
  return `${lines.map(fold).join('\r\n')}\r\n`
}
