import { defineProblems } from '../../kernel/base/index.ts'

defineProblems({
  'attachment-too-large': { status: 413, title: 'File too large', en: 'Send a file no larger than the operator allows (SEALBOOK_ATTACHMENT_MB).', zh: '文件超过运维人员设定的大小上限（SEALBOOK_ATTACHMENT_MB），请压缩或拆分后再上传。' },
  'attachment-type-refused': { status: 415, title: 'File type refused', en: 'Send a picture, PDF, office document without macros, text, recording or archive without programs; the content decides, not the name.', zh: '仅接受图片、PDF、不含宏的办公文档、文本、录音或不含程序的压缩包；以文件内容而非文件名为准。' },
  'attachment-infected': { status: 422, title: 'File infected', en: 'The virus scanner found something in this file; it was not kept.', zh: '病毒扫描发现此文件含恶意内容，未予保存。' },
  'attachment-gone': { status: 410, title: 'Content gone', en: 'The content of this file was removed for good; upload it again.', zh: '此文件的内容已被永久清除；请重新上传。' },
  'preview-none': { status: 404, title: 'No preview', en: 'There is no preview of this file, or not yet; get its content.', zh: '此文件没有预览或预览尚未生成；请下载原文件。' },
  'range-unsatisfiable': { status: 416, title: 'Range not satisfiable', en: 'Ask for a range inside the file; Content-Range has its size.', zh: '请求的范围超出文件；Content-Range 中给出了文件大小。' },
  'scanner-unavailable': { status: 503, title: 'Virus scanner unavailable', en: 'Files are taken only while the virus scanner answers; try again, or ask the operator to look at it.', zh: '病毒扫描器不可用，暂不接收文件；请稍后重试或联系运维人员。' },
})
