/**
 * The worker that runs `sql` queries. SQLite cannot be interrupted in its thread, so the main thread stays free to
 * exit.
 */
import { type SqlAnswerOptions, answerSql } from "./sql/answer.ts";

declare const self: Worker;

/** The query and how to print its result. */
export interface SqlQuestion {
  readonly text: string;
  readonly options: SqlAnswerOptions;
  readonly columns: number;
  readonly hasColor: boolean;
}

/** Messages to the worker: a question, then `"taken"` for each text that was written. */
export type ToSqlThread = SqlQuestion | "taken";

/** Messages from the worker: texts, then the outcome. Errors lose their class between threads. */
export type SqlReply =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "done" }
  | {
      readonly kind: "failed";
      readonly name: string;
      readonly message: string;
      readonly code: string | undefined;
    };

let onTaken: (() => void) | undefined;

function post(reply: SqlReply): void {
  self.postMessage(reply);
}

self.addEventListener("message", ({ data }: MessageEvent<ToSqlThread>) => {
  if (data === "taken") onTaken?.();
  else void answer(data);
});

async function answer({ text, options, columns, hasColor }: SqlQuestion): Promise<void> {
  const terminal = {
    columns,
    hasColor,
    isInteractive: false,
    out: (part: string) =>
      new Promise<void>((resolve) => {
        onTaken = resolve;
        post({ kind: "text", text: part });
      }),
    err: () => undefined,
  };
  try {
    await answerSql(text, options, terminal);
    post({ kind: "done" });
  } catch (error) {
    const { name, message } = error instanceof Error ? error : new Error(String(error));
    const code = error instanceof Error && "code" in error ? String(error.code) : undefined;
    post({ kind: "failed", name, message, code });
  }
}
