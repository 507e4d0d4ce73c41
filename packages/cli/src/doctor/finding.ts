/** The result of one check of `doctor`. */
export interface Finding {
  readonly check: string;
  readonly status: "fail" | "ok" | "warn";
  readonly detail: string;
  /** How to solve the problem. */
  readonly fix?: string;
}
