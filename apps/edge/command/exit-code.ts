/** What the shell gets back; documented in docs/command-line.md. */
export const exitCode = {
  done: 0,
  failed: 1,
  usage: 2,
  configurationRefused: 3,
  storeRefused: 4,
  listenFailed: 5,
} as const;

export const exitCodeMeanings: Readonly<Record<keyof typeof exitCode, string>> = {
  done: 'Done.',
  failed: 'Failed; the message says why.',
  usage: 'The command line was not understood.',
  configurationRefused:
    '`ringfence.yaml` or a file of objects is refused; each problem is named with file, line and key.',
  storeRefused:
    'The database, a key or a certificate cannot be used as it is (damaged, newer, missing, exposed, locked).',
  listenFailed: 'A listener could not be opened, such as for a port that is taken.',
};
