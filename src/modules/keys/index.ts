import { defineProblems } from '../../kernel/base/index.ts'
import type { Module } from '../../kernel/module.ts'
import { keysRoutes, type KeysDeps } from './keys.routes.ts'

defineProblems({
  'kit-file-missing': {
    status: 409,
    title: 'Not on the server itself',
    en: 'Run `sealbook keys kit` on the server\'s own machine, as the user who runs it: a recovery kit never travels over the network.',
    zh: '请在服务器本机上，以运行服务器的用户执行 `sealbook keys kit`：恢复套件绝不经网络传输。',
  },
})

/** Keys as an administrator sees them: their state, and a new recovery kit for whoever stands at the machine. */
export function keysModule(deps: KeysDeps): Module {
  return {
    name: 'keys',
    permissions: { 'keys:read': 'see who holds the root key and which keys there are', 'keys:manage': 'make a new recovery kit, on the server\'s own machine' },
    routes: keysRoutes(deps),
  }
}
