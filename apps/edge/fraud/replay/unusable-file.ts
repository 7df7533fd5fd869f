/** The file as a whole is of no use, or from there on; the text says why, and where. */
export class UnusableFile extends Error {
  constructor(text: string) {
    super(text);
    this.name = 'UnusableFile';
  }
}
