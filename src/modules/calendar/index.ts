import type { Module } from '../../kernel/module.ts'
import { calendarPages, calendarRoutes } from './calendar.routes.ts'
import type { Calendar } from './calendar.service.ts'

export { Calendar, type CalendarDeps } from './calendar.service.ts'

/** 日历订阅: one's own meetings and tasks in the calendar program of one's choice. */
export function calendarModule(calendar: Calendar): Module {
  return {
    name: 'calendar',
    permissions: { 'calendar:use': 'make, see and revoke secret addresses at which a calendar program reads one\'s own meetings and tasks' },
    routes: calendarRoutes(calendar),
    publicRoutes: calendarPages(calendar),
  }
}
