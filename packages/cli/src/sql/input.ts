import { CommandError } from "../failures/command-error.ts";

/** Longest statement, in characters. */
const MAX_STATEMENT = 1_000_000;

/**
 * Reads a statement from standard input.
 * @throws CommandError if it is longer than 1,000,000 characters.
 */
export async function readStatement(input: ReadableStream<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of input) {
    text += decoder.decode(chunk, { stream: true });
    if (text.length > MAX_STATEMENT) {
      throw new CommandError(
        `Expected a statement of at most ${MAX_STATEMENT} characters, but standard input has more.`,
      );
    }
  }
  return text;
}
