export type NonInviteServerState = 'trying' | 'proceeding' | 'completed' | 'terminated';
