import { chmodSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { MisuseError } from '@ringfence/bytes/misuse.ts';
import type { EventBus } from '../events/bus.ts';
import { CommandRefused } from './command-refused.ts';
import { type SocketName, socketName } from './place.ts';
import {
  type ControlAnswer,
  type ControlRequest,
  Lines,
  mostRequestOctets,
  readRequest,
} from './protocol.ts';

/** Does a command. What it throws as `CommandRefused` is told to whoever asked; anything else is a defect of ours. */
export type CommandHandler = (args: unknown, by: string) => Promise<unknown> | unknown;

/** Connections at a time, and requests of one of them that have no answer yet. */
const mostConnections = 32;
const mostWaiting = 16;

/**
 * Takes commands for the running edge at a UNIX socket in its data folder.
 *
 * The socket has mode 0600: the system lets in the user that the edge runs as, and root, and nobody else. Requests are
 * bounded in size and number; commands that change something leave the event `administration.command`.
 */
export class ControlServer {
  readonly #bus: EventBus;
  readonly #commands = new Map<string, { readonly run: CommandHandler; readonly reads: boolean }>();
  readonly #connections = new Set<Socket>();
  #server: Server | undefined;
  #name: SocketName | undefined;

  constructor(bus: EventBus) {
    this.#bus = bus;
    this.handle('help', () => [...this.#commands.keys()].sort(), { reads: true });
  }

  /** `reads`: it changes nothing, and leaves no event. A second handler for a command is a mistake of ours. */
  handle(command: string, run: CommandHandler, { reads = false }: { readonly reads?: boolean } = {}): void {
    if (this.#commands.has(command))
      throw new MisuseError('command-twice', `there are two commands ${command}`);
    this.#commands.set(command, { run, reads });
  }

  /**
   * Takes the place of the socket of an edge that is gone; whoever starts this holds the store's lock. False where there
   * can be none: calls go on without, and an event says why.
   */
  async listen(home: string): Promise<boolean> {
    try {
      await this.#listen(home);
      return true;
    } catch (error) {
      this.close();
      this.#failed('socket', error);
      return false;
    }
  }

  async #listen(home: string): Promise<void> {
    const name = socketName(home);
    this.#name = name;
    rmSync(name.path, { force: true });
    const server = createServer((socket) => this.#accept(socket));
    this.#server = server;
    // Nobody may come in between bind, which happens in this turn, and chmod.
    const mask = process.umask(0o177);
    const listening = new Promise<void>((done, failed) => {
      server.once('error', failed);
      server.listen(name.path, () => done());
    });
    process.umask(mask);
    await listening;
    chmodSync(name.path, 0o600);
    server.removeAllListeners('error').on('error', (error) => this.#failed('socket', error));
  }

  /** Takes no more; what is being done goes on, and is told to nobody. */
  close(): void {
    this.#server?.close();
    this.#server = undefined;
    for (const socket of this.#connections) socket.destroy();
    this.#name?.done();
    this.#name = undefined;
  }

  #accept(socket: Socket): void {
    if (this.#connections.size >= mostConnections) return void socket.destroy();
    this.#connections.add(socket);
    const lines = new Lines(mostRequestOctets);
    let waiting = 0;
    const answer = (value: ControlAnswer): void => {
      if (socket.writable) socket.write(`${JSON.stringify(value)}\n`);
    };
    const refuse = (id: number, code: string, text: string): void => {
      answer({ id, ok: false, error: { code, text } });
    };
    socket.on('data', (chunk: Buffer) => {
      const whole = lines.feed(chunk);
      if (whole === undefined) {
        refuse(0, 'too-long', `a request has at most ${mostRequestOctets} octets`);
        return void socket.destroySoon();
      }
      for (const line of whole) {
        const request = readRequest(line);
        if (request === undefined) {
          refuse(0, 'no-request', 'a request is one line of JSON with id, command and args');
          return void socket.destroySoon();
        }
        if (waiting >= mostWaiting)
          refuse(request.id, 'too-many', 'too many requests wait for their answers');
        else {
          waiting += 1;
          void this.do(request).then((value) => {
            waiting -= 1;
            answer(value);
          });
        }
      }
    });
    socket.on('error', () => undefined);
    socket.once('close', () => this.#connections.delete(socket));
  }

  /** Does one request; never rejects. */
  async do({ id, command, args, by }: ControlRequest): Promise<ControlAnswer> {
    const known = this.#commands.get(command);
    if (known === undefined)
      return {
        id,
        ok: false,
        error: { code: 'no-such-command', text: `this edge has no command ${command.slice(0, 60)}` },
      };
    const told = (refused: string): void => {
      if (known.reads) return;
      this.#bus.emit({ type: 'administration.command', command, what: askedWith(args), by, refused });
    };
    try {
      const result = await known.run(args, by);
      told('');
      return { id, ok: true, result: result ?? null };
    } catch (error) {
      if (error instanceof CommandRefused) {
        told(error.code);
        return { id, ok: false, error: { code: error.code, text: error.message } };
      }
      this.#failed(command, error);
      told('defect');
      return { id, ok: false, error: { code: 'defect', text: 'the edge failed at it; its log says why' } };
    }
  }

  #failed(command: string, error: unknown): void {
    const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.#bus.emit({ type: 'edge.error', where: `control ${command}`.trim(), detail });
  }
}

const mostAsked = 2_000;

/** For the record: what a command was asked with, but for its secrets. */
function askedWith(args: unknown): string {
  const text = JSON.stringify(args, (name, value: unknown) =>
    /password|secret|token|code|pin$/i.test(name) ? '[redacted]' : value,
  );
  return (text ?? '').slice(0, mostAsked);
}
