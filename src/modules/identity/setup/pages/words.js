const en = {
  language: '中文',
  linkTitle: 'This set-up link is not valid',
  linkText: 'A link is good for one day and for one set-up. The newest stands where the server was started; restart the server for another.',
  toStatus: 'Status of this server',
  stepOwner: 'Company and owner',
  stepFactor: 'Second factor',
  stepKit: 'Recovery kit',
  ownerTitle: 'Set up Sealbook',
  ownerText: 'You become the owner: manager and administrator. Give one of the two up when a second administrator has come.',
  organisation: 'Company',
  country: 'Country',
  locale: 'Language',
  ownerName: 'Your name',
  email: 'E-mail',
  password: 'Password',
  show: 'Show the password',
  next: 'Next',
  back: 'Back',
  factorTitle: 'Add your authenticator app',
  factorText: 'Scan this with an authenticator app on your phone, then type the six digits it shows.',
  factorSecret: 'Or type this key into the app:',
  code: 'Code from the app',
  skip: 'Without an app',
  skipText: 'Without an app the password alone protects everything and must have at least 15 characters.',
  kitTitle: 'Keep the recovery kit',
  kitText: 'If the key of this server is lost, only this kit opens your data again. Print it or save it on another device, and keep it where the server is not.',
  download: 'Save as a file',
  print: 'Print',
  readBack: 'Read it back: type or paste the code from your copy',
  finish: 'Finish',
  doneTitle: 'Sealbook is ready',
  doneText: 'You can now sign in with your e-mail and password. Until backups have come, keep no real customers in it.',
  codesTitle: 'Recovery codes',
  codesText: 'Each signs you in once when your phone is not at hand. They are shown this once.',
  statusTitle: 'Status of this server',
  health: 'Health',
  version: 'Version',
  ledger: 'Events in the ledger',
  posture: 'Protection',
  postureGood: 'Nothing to point out.',
  'what key-file-missing': 'The root key file is gone; the next start will fail.',
  'fix key-file-missing': 'Put it back, or run `sealbook keys recover` with the printed kit.',
  'what key-file-same-device': 'The root key file lies on the same device as the data: whoever takes this disk reads everything.',
  'fix key-file-same-device': 'Move the key file to another device and set SEALBOOK_ROOT_KEY_FILE, or use the passphrase custodian.',
  'what key-file-readable': 'Other users of this machine may read the root key file.',
  'fix key-file-readable': 'Give it mode 600.',
  'what passphrase-same-device': 'The passphrase file lies on the same device as the data: whoever takes this disk reads everything.',
  'fix passphrase-same-device': 'Keep it on another device or in memory, and set SEALBOOK_PASSPHRASE_FILE.',
  'what passphrase-readable': 'Other users of this machine may read the passphrase file.',
  'fix passphrase-readable': 'Give it mode 600.',
  'what recovery-kit-none': 'There is no recovery kit: losing the root key loses everything.',
  'fix recovery-kit-none': 'Make one with `sealbook keys kit --out FILE`, print it, keep it in a safe.',
  'what swap-on': 'Swap is on: memory of the running server may reach the disk.',
  'fix swap-on': 'Turn swap off or encrypt it.',
  'what other': 'There is more to look at.',
  'fix other': 'Run `sealbook doctor` on the server.',
  ready: 'ready',
  warming: 'search is warming up',
  starting: 'starting',
  failed: 'not serving',
  unreachable: 'This server cannot be reached just now. Try again.',
  empty: 'Fill in what is marked.',
  kitWrong: 'That is not the code of this kit. Compare it letter by letter.',
  codeWrong: 'That code is not right. Wait for the next one and try again.',
  failedText: 'It did not work. Nothing was changed; try again.',
  strength0: 'Several unrelated words make a good one. At least 15 characters, or 8 with an authenticator app.',
  strength1: 'Too short without an app: at least 15 characters.',
  strength2: 'Easy to guess: common words, rows of keys or your own name.',
  strength3: 'Good.',
  strength4: 'Very good.',
  'password-too-short': 'The password is too short: 15 characters, or 8 with an authenticator app.',
  'password-too-long': 'The password is too long.',
  'password-common': 'This password is among those tried first. Choose unrelated words.',
  'password-context-word': 'The password is made of your name or your company. Choose unrelated words.',
  'email-invalid': 'The e-mail address is not complete.',
}

const zh = {
  language: 'English',
  linkTitle: '此设置链接无效',
  linkText: '链接一天内有效，且仅可完成一次设置。最新的链接显示在服务器启动处；重启服务器可获得新链接。',
  toStatus: '查看服务器状态',
  stepOwner: '公司与所有者',
  stepFactor: '第二因素',
  stepKit: '恢复套件',
  ownerTitle: '设置密客',
  ownerText: '您将成为所有者，同时担任主管与管理员。有第二位管理员后，请放弃其中一个角色。',
  organisation: '公司',
  country: '国家或地区',
  locale: '语言',
  ownerName: '您的姓名',
  email: '邮箱',
  password: '密码',
  show: '显示密码',
  next: '下一步',
  back: '上一步',
  factorTitle: '添加身份验证器',
  factorText: '请用手机上的身份验证器应用扫描二维码，然后输入显示的六位数字。',
  factorSecret: '或在应用中手动输入此密钥：',
  code: '应用中的验证码',
  skip: '暂不使用',
  skipText: '不使用身份验证器时，全部数据仅由密码保护，密码至少需要 15 个字符。',
  kitTitle: '保存恢复套件',
  kitText: '如果服务器的密钥丢失，只有此套件能重新打开您的数据。请打印，或保存到其他设备，并与服务器分开存放。',
  download: '保存为文件',
  print: '打印',
  readBack: '回读确认：请从您的副本中输入或粘贴代码',
  finish: '完成',
  doneTitle: '密客已就绪',
  doneText: '现在可以用邮箱和密码登录。在备份功能推出之前，请勿录入真实客户。',
  codesTitle: '恢复码',
  codesText: '手机不在身边时，每个恢复码可登录一次。仅显示这一次。',
  statusTitle: '服务器状态',
  health: '运行状况',
  version: '版本',
  ledger: '账本事件数',
  posture: '保护状况',
  postureGood: '没有需要指出的问题。',
  'what key-file-missing': '根密钥文件不见了，下次将无法启动。',
  'fix key-file-missing': '请放回原处，或用打印的恢复套件运行 `sealbook keys recover`。',
  'what key-file-same-device': '根密钥文件与数据在同一设备上：拿走这块磁盘的人可读取全部内容。',
  'fix key-file-same-device': '请将密钥文件移到另一设备并设置 SEALBOOK_ROOT_KEY_FILE，或改用口令保管。',
  'what key-file-readable': '本机其他用户可以读取根密钥文件。',
  'fix key-file-readable': '请将其权限设为 600。',
  'what passphrase-same-device': '口令文件与数据在同一设备上：拿走这块磁盘的人可读取全部内容。',
  'fix passphrase-same-device': '请放到另一设备或内存中，并设置 SEALBOOK_PASSPHRASE_FILE。',
  'what passphrase-readable': '本机其他用户可以读取口令文件。',
  'fix passphrase-readable': '请将其权限设为 600。',
  'what recovery-kit-none': '没有恢复套件：丢失根密钥即丢失一切。',
  'fix recovery-kit-none': '请运行 `sealbook keys kit --out FILE`，打印后存入保险柜。',
  'what swap-on': '交换分区已启用：运行中服务器的内存可能写入磁盘。',
  'fix swap-on': '请关闭或加密交换分区。',
  'what other': '还有需要查看的问题。',
  'fix other': '请在服务器上运行 `sealbook doctor`。',
  ready: '正常',
  warming: '检索预热中',
  starting: '启动中',
  failed: '无法提供服务',
  unreachable: '暂时无法连接服务器，请重试。',
  empty: '请填写标出的项目。',
  kitWrong: '与此套件的代码不符，请逐个字符核对。',
  codeWrong: '验证码不正确，请等待下一个再试。',
  failedText: '操作未成功，未作任何更改，请重试。',
  strength0: '几个互不相关的词语就是好密码。至少 15 个字符；使用身份验证器时至少 8 个。',
  strength1: '不使用身份验证器时太短：至少需要 15 个字符。',
  strength2: '容易被猜到：常用词、键盘顺序或您的姓名。',
  strength3: '良好。',
  strength4: '很好。',
  'password-too-short': '密码太短：至少 15 个字符，使用身份验证器时至少 8 个。',
  'password-too-long': '密码太长。',
  'password-common': '该密码属于最先被尝试的密码，请选用互不相关的词语。',
  'password-context-word': '密码由您的姓名或公司名组成，请选用互不相关的词语。',
  'email-invalid': '邮箱地址不完整。',
}

const all = { 'zh-CN': zh, en }
const KEPT = 'sealbook-language'

/** The choice of an earlier page, where the browser lets us keep one; else the browser's own. */
function chosen() {
  try {
    return localStorage.getItem(KEPT) ?? navigator.language
  } catch {
    return navigator.language
  }
}

let locale = (chosen() || 'en').toLowerCase().startsWith('zh') ? 'zh-CN' : 'en'
const listeners = []

export const currentLocale = () => locale
export const say = (key) => all[locale][key] ?? key
export const knows = (key) => Object.hasOwn(all[locale], key)

/** Runs now and after every change of language. */
export function onLanguage(fn) {
  listeners.push(fn)
  fn()
}

function apply() {
  document.documentElement.lang = locale
  for (const element of document.querySelectorAll('[data-words]')) element.textContent = say(element.dataset.words)
  const button = document.getElementById('language')
  button.textContent = say('language')
  button.lang = locale === 'en' ? 'zh' : 'en'
  for (const fn of listeners) fn()
}

document.getElementById('language').addEventListener('click', () => {
  locale = locale === 'en' ? 'zh-CN' : 'en'
  try {
    localStorage.setItem(KEPT, locale)
  } catch {
    // Private windows may refuse; the page works without.
  }
  apply()
})
apply()
