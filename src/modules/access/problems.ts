import { defineProblems } from '../../kernel/base/index.ts'

defineProblems({
  'own-rights': { status: 403, title: 'Your own rights', en: 'Nobody changes their own roles, department or status; ask another administrator.', zh: '任何人不得更改自己的角色、部门或状态；请联系其他管理员。' },
  'approver-unfit': { status: 403, title: 'Another person must decide', en: 'Somebody must decide who neither asked for this nor gains by it, and who already sees the customers concerned.', zh: '须由既非申请人也非受益人、且本来就能看到相关客户的人员审批。' },
  'department-circle': { status: 409, title: 'Department circle', en: 'A department cannot be moved under itself or under one below it.', zh: '部门不能移动到自身或其下级部门之下。' },
})
