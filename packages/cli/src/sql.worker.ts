/** The thread that asks in SQL: nothing stops SQLite in its own thread, so the first one stays free to end the process. */
import { type SqlAnswerOptions, answerSql } from "./sql/answer.ts";

declare const self: Worker;

/** What the thread is asked. */
export interface SqlQuestion {
  readonly text: string;
  readonly options: SqlAnswerOptions;
  readonly columns: number;
  readonly hasColor: boolean;
}

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

function post(reply: SqlReply): void {
  self.postMessage(reply);
}

self.addEventListener("message", ({ data }: MessageEvent<SqlQuestion>) => void answer(data));

async function answer({ text, options, columns, hasColor }: SqlQuestion): Promise<void> {
  try {
    await answerSql(text, options, {
      columns,
      hasColor,
      isInteractive: false,
      out: async (part) => post({ kind: "text", text: part }),
      err: () => undefined,
    });
    post({ kind: "done" });
  } catch (error) {
    const { name, message } = error instanceof Error ? error : new Error(String(error));
    const code = error instanceof Error && "code" in error ? String(error.code) : undefined;
    post({ kind: "failed", name, message, code });
  }
}
