import { createConnection } from 'node:net';
import { userInfo } from 'node:os';
import { err, ok, type Result } from '@ringfence/bytes/result.ts';
import { type SocketName, socketName } from './place.ts';
import { type ControlProblem, Lines, mostAnswerOctets, readAnswer } from './protocol.ts';

const patienceMs = 30_000;

/**
 * Asks the edge that runs on a data folder to do something.
 *
 * Errors: those of the command; `no-edge` where none runs there, `not-allowed` where it is somebody else's,
 * `no-answer` after `milliseconds` or where it ends meanwhile.
 */
export async function ask(
  home: string,
  command: string,
  args: Readonly<Record<string, unknown>> = {},
  milliseconds = patienceMs,
): Promise<Result<unknown, ControlProblem>> {
  let name: SocketName;
  try {
    name = socketName(home);
  } catch {
    return err(noEdge(home));
  }
  const socket = createConnection(name.path);
  const lines = new Lines(mostAnswerOctets);
  const asked = new Promise<Result<unknown, ControlProblem>>((settle) => {
    socket.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EACCES' || error.code === 'EPERM')
        settle(
          err({
            code: 'not-allowed',
            text: `The edge on ${home} runs as another user; ask as that user, or as root.`,
          }),
        );
      else if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED') settle(err(noEdge(home)));
      else settle(err({ code: 'no-answer', text: `The edge on ${home} does not answer: ${error.message}.` }));
    });
    socket.once('connect', () => socket.write(`${JSON.stringify({ id: 1, command, args, by: login() })}\n`));
    socket.on('data', (chunk: Buffer) => {
      const [line] = lines.feed(chunk) ?? [''];
      if (line === undefined) return;
      const answer = readAnswer(line);
      if (answer === undefined)
        settle(
          err({ code: 'no-answer', text: `What answers on ${home} is not an edge that this program knows.` }),
        );
      else settle(answer.ok ? ok(answer.result) : err(answer.error));
    });
    socket.once('close', () =>
      settle(err({ code: 'no-answer', text: `The edge on ${home} has ended before it answered.` })),
    );
    socket.setTimeout(milliseconds, () =>
      settle(
        err({
          code: 'no-answer',
          text: `The edge on ${home} has not answered for ${milliseconds / 1000} s.`,
        }),
      ),
    );
  });
  try {
    return await asked;
  } finally {
    socket.destroy();
    name.done();
  }
}

const noEdge = (home: string): ControlProblem => ({
  code: 'no-edge',
  text: `No edge is running on ${home}; start it with \`ringfence up\`, or name its data folder in RINGFENCE_HOME.`,
});

/** Behind `sudo`, whoever has called it. */
function login(): string {
  if (process.env.SUDO_USER) return process.env.SUDO_USER;
  try {
    return userInfo().username;
  } catch {
    return String(process.getuid?.() ?? '');
  }
}
