/** Ways of reaching somebody, each of which they may forbid (勿扰). */
export const CHANNELS = ['email', 'phone', 'sms', 'wechat', 'post', 'all'] as const
