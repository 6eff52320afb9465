import { defineProblems } from '../../kernel/base/index.ts'

defineProblems({
  'stage-in-use': { status: 409, title: 'Stage in use', en: 'Move the deals of this stage to another one first.', zh: '请先将此阶段的商机移至其他阶段。' },
  'pipeline-in-use': { status: 409, title: 'Pipeline in use', en: 'Move or delete the deals of this pipeline first.', zh: '请先移出或删除此销售流程中的商机。' },
  'pipeline-standard': { status: 409, title: 'Standard pipeline', en: 'Make another pipeline the standard one first.', zh: '请先将另一销售流程设为默认。' },
})
