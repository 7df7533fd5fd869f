/** SIPVicious (Debian's package) as it is shipped, and with another name on it, as attackers use it. */
import { cpSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { installedVersion } from '../harness/version.ts';
import type { Workspace } from '../harness/workspace.ts';

const SHIPPED = '/usr/share/sipvicious';
/** The distribution's own: another one on the path has not its modules. */
const PYTHON = '/usr/bin/python3';

export type Guise = 'shipped' | 'disguised';
export type SipViciousTool = 'svmap' | 'svwar' | 'svcrack';

/** What starts a tool: the command, and what stands before its own arguments. */
export function sipVicious(
  workspace: Workspace,
  tool: SipViciousTool,
  as: Guise,
): readonly [command: string, ...args: string[]] {
  if (as === 'shipped') return [PYTHON, join(SHIPPED, `sipvicious_${tool}`)];
  const copy = workspace.path('disguised');
  if (!existsSync(copy)) {
    cpSync(SHIPPED, copy, { recursive: true });
    const helper = join(copy, 'sipvicious/libs/svhelper.py');
    const text = readFileSync(helper, 'utf8');
    writeFileSync(helper, text.replaceAll('friendly-scanner', 'Yealink SIP-T46G 28.83.0.50'));
    for (const name of ['svmap', 'svwar', 'svcrack']) {
      const file = join(copy, `sipvicious/${name}.py`);
      // It calls itself so in From, too.
      writeFileSync(file, readFileSync(file, 'utf8').replaceAll('"sipvicious"', '"Reception"'));
    }
  }
  return [
    PYTHON,
    '-c',
    `import sys; sys.path.insert(0, ${JSON.stringify(copy)}); sys.argv[0] = '${tool}'; from sipvicious.${tool} import main; main()`,
  ];
}

export const sipViciousVersion = (): string | null =>
  existsSync(SHIPPED)
    ? installedVersion(PYTHON, [join(SHIPPED, 'sipvicious_svmap'), '--version'], /v?(\d+\.\d+\.\d+)/)
    : null;
