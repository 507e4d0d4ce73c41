/** The thread that asks in SQL: nothing stops SQLite in its own thread, so the first one stays free to end the process. */
import { type SqlAnswerOptions, answerSql } from "./sql/answer.ts";

declare const self: Worker;

/** What is asked. */
export interface SqlQuestion {
  readonly text: string;
  readonly options: SqlAnswerOptions;
  readonly columns: number;
  readonly hasColor: boolean;
}

/** What the thread is told: a question; then, of each text, that it is written. */
export type ToSqlThread = SqlQuestion | "taken";

/** What it says: text as it comes, then how it ended. An error does not keep its class on the way. */
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
