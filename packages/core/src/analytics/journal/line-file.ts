import {
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  openSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";

/**
 * A file that grows by whole texts: each is in it to its end, or not at all. Readable by its owner only.
 *
 * A text costs one `write(2)` and no fsync: it survives the process, not a power cut.
 */
export class LineFile {
  readonly #path: string;
  readonly #inode: number;
  #descriptor: number | undefined;
  #length: number;

  private constructor(path: string, descriptor: number, length: number) {
    this.#path = path;
    this.#descriptor = descriptor;
    this.#length = length;
    this.#inode = fstatSync(descriptor).ino;
  }

  /** Makes a new file that holds `text`. Throws, and leaves no file, if it cannot. */
  static create(path: string, text: string): LineFile {
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_APPEND;
    const descriptor = openSync(path, flags, 0o600);
    try {
      return new LineFile(path, descriptor, writeWhole(descriptor, text, 0));
    } catch (error) {
      tryTo(() => closeSync(descriptor));
      tryTo(() => rmSync(path, { force: true }));
      throw error;
    }
  }

  /** In bytes. */
  get length(): number {
    return this.#length;
  }

  /** Whether its name still leads to this file: nobody moved, removed or replaced it. */
  get exists(): boolean {
    try {
      return statSync(this.#path, { throwIfNoEntry: false })?.ino === this.#inode;
    } catch {
      return false;
    }
  }

  /** Returns the bytes written. Throws, and the file is as it was, if there is no room for all of them. */
  append(text: string): number {
    if (this.#descriptor === undefined) throw new Error(`${this.#path} is closed`);
    const count = writeWhole(this.#descriptor, text, this.#length);
    this.#length += count;
    return count;
  }

  close(): void {
    const descriptor = this.#descriptor;
    this.#descriptor = undefined;
    if (descriptor !== undefined) tryTo(() => closeSync(descriptor));
  }

  remove(): void {
    this.close();
    tryTo(() => rmSync(this.#path, { force: true }));
  }
}

/** Half a line would spoil the next one. Returns the bytes written. */
function writeWhole(descriptor: number, text: string, length: number): number {
  const bytes = toBytes(text);
  const count = writeSync(descriptor, bytes);
  if (count === bytes.length) return count;
  // A full disk takes a part of a text.
  ftruncateSync(descriptor, length);
  throw new Error("no space left for a whole line");
}

/** Where texts become bytes: to write a text itself takes twice as long. */
const scratch = Buffer.allocUnsafeSlow(65_536);

/** The text in UTF-8, until the next call. */
function toBytes(text: string): Uint8Array {
  // A UTF-16 code unit takes three bytes at most.
  if (text.length * 3 > scratch.length) return Buffer.from(text);
  return scratch.subarray(0, scratch.write(text));
}

/** What cannot be removed or closed is left: to read a journal twice does no harm. */
function tryTo(step: () => void): void {
  try {
    step();
  } catch {
    // Nothing depends on it.
  }
}
