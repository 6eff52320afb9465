import type { Module } from '../../kernel/module.ts'
import type { RecordsDeps } from '../records/index.ts'
import { reportRoutes } from './reports.routes.ts'
import { Reports, type House } from './reports.service.ts'

/** 报表: sums over rows in memory, through the same gate as any list. */
export function reportsModule(deps: RecordsDeps, house: House): Module {
  return {
    name: 'reports',
    permissions: { 'reports:read': 'ask reports about the rows in sight, or those one may count' },
    routes: reportRoutes(new Reports(deps, house)),
  }
}
