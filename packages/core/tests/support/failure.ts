import { AnalyticsError } from "../../src/analytics/errors.ts";

/** What an `AnalyticsError` says, as plain data. Anything else that is thrown or returned is thrown. */
export function describeFailure(error: unknown): { code: string; path: string; message: string } {
  if (!(error instanceof AnalyticsError)) throw error;
  return { code: error.code, path: error.path, message: error.message };
}

export function failureOf(run: () => unknown): ReturnType<typeof describeFailure> {
  let result: unknown;
  try {
    result = run();
  } catch (error) {
    return describeFailure(error);
  }
  throw new Error("Expected an AnalyticsError, but nothing was thrown", { cause: result });
}
