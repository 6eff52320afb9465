import fc from 'fast-check'
import ICAL from 'ical.js'
import { describe, expect, it } from 'vitest'
import { calendarText, fold, type CalendarEvent } from './ics.ts'

// What another library reads must be what was written.

const event = (summary: string, more: Partial<CalendarEvent> = {}): CalendarEvent => ({ uid: 'a@b', summary, category: 'MEETING', start: '2027-01-01T09:00:00.000Z', end: null, changedAt: '2026-11-24T08:00:00.000Z', sequence: 0, ...more })

function read(text: string): ICAL.Event[] {
  return new ICAL.Component(ICAL.parse(text)).getAllSubcomponents('vevent').map((c) => new ICAL.Event(c))
}

describe('a calendar', () => {
  it('is read back by another library, whatever stands in a title', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'grapheme', maxLength: 300 }), { maxLength: 5 }), (titles) => {
        const text = calendarText('x', titles.map((t) => event(t)))
        // Controls have no form in a text; every way to break a line is one.
        const wanted = titles.map((t) => t.replace(/\r\n?/g, '\n').replace(/[\u0000-\u0009\u000b-\u001f\u007f\u0085\u2028\u2029]/g, ' '))
        expect(read(text).map((e) => e.summary)).toEqual(wanted)
      }),
      { numRuns: 500 },
    )
  })

  it('has no line over 75 octets, and none that ends inside a character', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 500 }), (title) => {
        const text = calendarText('客户日历', [event(title)])
        // A character that was cut in two would come back as two replacements.
        expect(text.split('\r\n').every((line) => Buffer.from(line).toString() === line)).toBe(true)
        for (const line of text.split('\r\n')) expect(Buffer.byteLength(line)).toBeLessThanOrEqual(75)
        expect(text).not.toMatch(/[^\r]\n|\r[^\n]/)
      }),
    )
    const long = '会议'.repeat(60)
    expect(fold(long).split('\r\n ').join('')).toBe(long)
  })

  it('cannot be given another property by a title', () => {
    const text = calendarText('x', [event('Lunch\r\nATTENDEE:mailto:thief@example.com\r\nEND:VEVENT\r\nBEGIN:VEVENT'), event('Tea')])
    expect(read(text).length).toBe(2)
    expect(text).not.toMatch(/^ATTENDEE/m)
  })

  it('tells times in UTC, and a task takes up none', () => {
    const [meeting, task] = read(calendarText('x', [event('M', { end: '2027-01-01T10:30:00.000Z' }), event('T', { category: 'TASK', sequence: 4 })]))
    expect([meeting!.startDate.toString(), meeting!.endDate.toString()]).toEqual(['2027-01-01T09:00:00Z', '2027-01-01T10:30:00Z'])
    expect([task!.component.getFirstPropertyValue('transp'), task!.sequence]).toEqual(['TRANSPARENT', 4])
  })
})
