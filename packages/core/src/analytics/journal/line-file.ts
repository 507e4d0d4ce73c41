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
 * A file to which texts are appended completely or not at all. Only its owner can read it.
 *
 * Each text costs one `write(2)` and no fsync: it survives the process, but not a power cut.
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

  /** Creates a new file with the content `text`. Throws, and leaves no file, on failure. */
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

  /** Length in bytes. */
  get length(): number {
    return this.#length;
  }

  /** Whether the path still leads to this file, which was not moved, removed or replaced. */
  get exists(): boolean {
    try {
      return statSync(this.#path, { throwIfNoEntry: false })?.ino === this.#inode;
    } catch {
      return false;
    }
  }

  /** Appends `text` and returns its length in bytes. Throws, and leaves the file unchanged, if not all of it fits. */
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

/** Writes all of the text or none of it, because half a line would corrupt the next one. Returns the bytes written. */
function writeWhole(descriptor: number, text: string, length: number): number {
  const bytes = toBytes(text);
  const count = writeSync(descriptor, bytes);
  if (count === bytes.length) return count;
  // A full disk accepts only part of the text.
  ftruncateSync(descriptor, length);
  throw new Error("no space left for a whole line");
}

/** Buffer for encoding: passing the string to `writeSync` takes twice as long. */
const scratch = Buffer.allocUnsafeSlow(65_536);

/** Encodes the text as UTF-8. The result is valid until the next call. */
function toBytes(text: string): Uint8Array {
  // A UTF-16 code unit takes at most three bytes.
  if (text.length * 3 > scratch.length) return Buffer.from(text);
  return scratch.subarray(0, scratch.write(text));
}

/** Ignores a failure to close or remove a file: reading a journal twice is harmless. */
function tryTo(step: () => void): void {
  try {
    step();
  } catch {}
}
