import type { MakeId } from './ids.ts'
import type { PlannedColleague, PlannedDepartment, Tongue } from './types.ts'

export interface Staff {
  departments: PlannedDepartment[]
  colleagues: PlannedColleague[]
}

/** Names of the departments, each with the place of the one above it. */
const DEPARTMENTS: readonly (readonly [name: string, above: number | null])[] = [
  ['销售部 Sales', null],
  ['华北区 North', 0],
  ['华东区 East', 0],
  ['海外 Overseas', 0],
  ['市场部 Marketing', null],
  ['信息部 IT', null],
]

/** Department, role, name, local part of the address. */
const COLLEAGUES: readonly (readonly [department: number, role: PlannedColleague['role'], name: string, local: string, tongue: Tongue])[] = [
  [0, 'manager', '沈若兰', 'shen.ruolan', 'zh'],
  [1, 'manager', '高启明', 'gao.qiming', 'zh'],
  [1, 'rep', '林晓雨', 'lin.xiaoyu', 'zh'],
  [1, 'rep', '郑浩然', 'zheng.haoran', 'zh'],
  [1, 'rep', '白雪晴', 'bai.xueqing', 'zh'],
  [1, 'rep', '方文博', 'fang.wenbo', 'zh'],
  [1, 'rep', '孟思远', 'meng.siyuan', 'zh'],
  [2, 'manager', '顾佳怡', 'gu.jiayi', 'zh'],
  [2, 'rep', '陆子轩', 'lu.zixuan', 'zh'],
  [2, 'rep', '苏婉婷', 'su.wanting', 'zh'],
  [2, 'rep', '韩梓涵', 'han.zihan', 'zh'],
  [2, 'rep', '魏天宇', 'wei.tianyu', 'zh'],
  [2, 'rep', '唐诗琪', 'tang.shiqi', 'zh'],
  [3, 'manager', 'Eleanor Voss', 'eleanor.voss', 'en'],
  [3, 'rep', 'Marcus Bell', 'marcus.bell', 'en'],
  [3, 'rep', 'Priya Nair', 'priya.nair', 'en'],
  [3, 'rep', 'Tom Ashdown', 'tom.ashdown', 'en'],
  [4, 'analyst', '叶知秋', 'ye.zhiqiu', 'zh'],
  [4, 'analyst', '江望舒', 'jiang.wangshu', 'zh'],
  [5, 'administrator', '石守信', 'shi.shouxin', 'zh'],
]

export function staffOf(id: MakeId, at: number): Staff {
  const ids = DEPARTMENTS.map(() => id(at))
  const departments = DEPARTMENTS.map(([name, above], i) => ({ id: ids[i]!, name, parentId: above === null ? null : ids[above]! }))
  const colleagues = COLLEAGUES.map(([department, role, name, local, tongue]) => ({ id: id(at), name, email: `${local}@demo.example.com`, role, departmentId: ids[department]!, tongue }))
  return { departments, colleagues }
}
