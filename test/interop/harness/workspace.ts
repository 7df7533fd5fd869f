/** A folder for one case: configuration, logs, recordings; kept when the case failed, for whoever looks into it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export class Workspace {
  readonly folder: string;

  constructor(name: string) {
    this.folder = mkdtempSync(
      join(tmpdir(), `ringfence-interop-${name.replaceAll(/[^a-z0-9-]+/gi, '-').slice(0, 40)}-`),
    );
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  write(name: string, content: string | Uint8Array): string {
    const path = this.path(name);
    writeFileSync(path, content);
    return path;
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
