import './problems.ts'
import type { Module } from '../../kernel/module.ts'
import { demoRoutes } from './demo.routes.ts'
import type { Demo } from './demo.service.ts'

export { Demo, type DemoDeps, type Told } from './demo.service.ts'

/** 演示公司: an invented company, so that every page has something to show; taken away with one command. */
export function demoModule(demo: Demo): Module {
  return { name: 'demo', permissions: { 'demo:manage': 'see whether there is a demonstration company, and take it away' }, routes: demoRoutes(demo) }
}
