/** What the transport knows of whoever sent a message. */
export interface Sender {
  /** It reads what is sent to its address: a connection. Of datagrams nobody knows. */
  readonly reachable: boolean;
  /** A phone has registered over this very flow. */
  isRegistered(address: string, port: number): boolean;
}

export const overDatagrams: Sender = { reachable: false, isRegistered: () => false };
export const overConnection: Sender = { reachable: true, isRegistered: () => false };
export const registeredConnection: Sender = { reachable: true, isRegistered: () => true };
