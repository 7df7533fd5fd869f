import { Worker } from 'node:worker_threads';

/** One file of the phone page or the account page, ready to be sent. Nothing in it is secret. */
export interface PageFile {
  readonly type: string;
  readonly body: Uint8Array;
  readonly gzip: Uint8Array;
  /** Strong, RFC 9110 §8.8.3. */
  readonly etag: string;
}

/** By path: there is nothing else that the page's server could send. */
export type PageFiles = ReadonlyMap<string, PageFile>;

/**
 * Makes the pages' files in a thread of its own, which ends with it: stripping types takes 20 MB and compressing some
 * 50 ms, and neither is to be had where calls are.
 *
 * @param domain SIP domain that users without one belong to.
 */
export function loadPageFiles(domain: string): Promise<PageFiles> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL('./make-files.ts', import.meta.url), {
      workerData: domain,
      // Node says of its type stripper that it may change; the version of Node is pinned.
      execArgv: ['--disable-warning=ExperimentalWarning'],
    });
    worker.once('message', (files: PageFiles) => resolve(files));
    worker.once('error', reject);
    worker.once('exit', () => reject(new Error('no file of the phone page was made')));
    worker.unref();
  });
}
