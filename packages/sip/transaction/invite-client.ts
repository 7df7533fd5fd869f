export type InviteClientState = 'calling' | 'proceeding' | 'completed' | 'accepted' | 'terminated';
