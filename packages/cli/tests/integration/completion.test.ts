import { describe, expect, test } from "bun:test";
import { toolmeter } from "../support/toolmeter.ts";

const COMMANDS = ["record", "report", "tools", "tail", "check", "doctor", "export", "sql"];

test.each(["bash", "zsh", "fish"])(
  "the completions for %s know every command and option",
  async (shell) => {
    const { code, out } = await toolmeter(["completion", shell]);
    expect(code).toBe(0);
    for (const command of COMMANDS) expect(out).toContain(command);
    for (const option of ["since", "error-rate", "payloads", "max-size"])
      expect(out).toContain(option);
    expect(out).not.toContain("echo-server");
  },
);

describe("in bash", () => {
  test.each([
    ["toolmeter t", ["tools", "transitions", "tax", "tail"]],
    ["toolmeter tools --si", ["--since"]],
    ["toolmeter check --p", ["--p50", "--p95", "--p99"]],
    ["toolmeter report --format ", ["table", "json", "csv", "md"]],
    ["toolmeter export --format p", ["parquet"]],
    ["toolmeter install c", ["claude-desktop", "claude-code", "cursor"]],
  ])("%p is completed", async (line, expected) => {
    const { out } = await toolmeter(["completion", "bash"]);
    const words = line.split(" ");
    const script = `${out}
COMP_WORDS=(${words.map((word) => `'${word}'`).join(" ")}); COMP_CWORD=${words.length - 1}; _toolmeter
printf '%s\\n' "\${COMPREPLY[@]}"`;
    const shell = Bun.spawn(["bash", "-c", script], { stdout: "pipe", stderr: "pipe" });
    const [answers, errors] = await Promise.all([shell.stdout.text(), shell.stderr.text()]);
    expect(errors).toBe("");
    expect(answers.trim().split("\n").toSorted()).toEqual(expected.toSorted());
  });
});
