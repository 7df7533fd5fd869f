export type NonInviteClientState = 'trying' | 'proceeding' | 'completed' | 'terminated';
