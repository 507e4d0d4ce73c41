/** What `doctor` found out about one thing. */
export interface Finding {
  readonly check: string;
  readonly status: "fail" | "ok" | "warn";
  readonly detail: string;
  /** What to do about it. */
  readonly fix?: string;
}
