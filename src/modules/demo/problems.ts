import { defineProblems } from '../../kernel/base/index.ts'

defineProblems({
  'demo-absent': { status: 409, title: 'No demonstration company', en: 'There is none in this home; nothing was taken away.', zh: '此实例中没有演示公司，未删除任何内容。' },
  'demo-in-use': { status: 409, title: 'People’s records hang on it', en: 'Records that people made hang on the demonstration company: see errors; move them, or repeat with force.', zh: '有用户创建的记录关联到演示公司，见 errors：请先移走，或使用 force 重试。' },
})
