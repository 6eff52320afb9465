import { defineProblems } from '../../kernel/base/index.ts'

defineProblems({
  'sign-in-refused': { status: 401, title: 'Sign-in refused', en: 'Check e-mail, password and code, and try again.', zh: '请检查邮箱、密码和验证码后重试。' },
  'code-required': { status: 401, title: 'Code required', en: 'Send the code of your authenticator app, or a recovery code, too.', zh: '请同时提供身份验证器的验证码或恢复码。' },
  'password-change-required': { status: 403, title: 'Change your password first', en: 'Somebody else knows this password: choose your own with PUT /me/password, then go on.', zh: '当前密码由他人设置：请先通过 PUT /me/password 设置您自己的密码。' },
  'csrf-refused': { status: 403, title: 'Request not from this application', en: 'Reload the page and try again.', zh: '请刷新页面后重试。' },
  'session-required': { status: 403, title: 'Session required', en: 'Sign in with your password for this; a token may not do it.', zh: '此操作须以密码登录后进行，不能使用令牌。' },
  'email-taken': { status: 409, title: 'E-mail in use', en: 'Another colleague signs in with this e-mail; use a different one.', zh: '已有同事使用此邮箱登录，请换用其他邮箱。' },
  'last-administrator': { status: 409, title: 'Last administrator', en: 'Make somebody else an administrator first.', zh: '请先指定另一位管理员。' },
  'token-for-another': { status: 403, title: 'Token for another person', en: 'A token that reaches customers is made only by the person it belongs to.', zh: '可访问客户数据的令牌只能由其本人创建。' },
  'setup-link-invalid': { status: 403, title: 'Set-up link not valid', en: 'Use the link printed at the last start, within a day and once; restart the server for a new one.', zh: '请使用最近一次启动时打印的链接（一天内有效，仅可使用一次）；重启服务器可获得新链接。' },
  'already-set-up': { status: 409, title: 'Already set up', en: 'This instance has an owner; sign in instead.', zh: '此实例已完成初始化，请直接登录。' },
})
