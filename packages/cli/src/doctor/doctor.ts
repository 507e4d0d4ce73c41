import { resolve } from "node:path";
import { databasePath } from "@toolmeter/core/queries";
import { localZone } from "@toolmeter/present";
import { type PrintOptions, print } from "../output/print.ts";
import { checkDatabase, checkJournals, checkPlace, checkSwitch, checkVersions } from "./checks.ts";
import type { Finding } from "./finding.ts";
import { proveRecording } from "./proof.ts";
import { EXIT } from "../failures/exit-codes.ts";
import { table } from "../output/page.ts";
import type { Terminal } from "../output/terminal.ts";

export interface DoctorOptions extends PrintOptions {
  readonly db?: string | undefined;
  readonly tz?: string | undefined;
  readonly deep?: true | undefined;
}

const TONES = { ok: "good", warn: "warn", fail: "bad" } as const;

/** Verifies that recording works and prints the findings. Returns the exit code: 3 if a check fails. */
export async function doctor(options: DoctorOptions, terminal: Terminal): Promise<number> {
  const file = resolve(databasePath(options.db));
  const findings: readonly Finding[] = [
    ...checkVersions(),
    ...checkSwitch(),
    ...(await checkPlace(file)),
    ...(await checkDatabase(file, options.deep === true)),
    ...(await checkJournals(file)),
    await proveRecording(),
  ];
  const isWell = findings.every(({ status }) => status !== "fail");
  const page = {
    data: findings,
    sections: [
      table(findings, [
        { header: "", value: ({ status }) => status, tone: ({ status }) => TONES[status] },
        { header: "check", value: ({ check }) => check },
        { header: "result", value: ({ detail }) => detail },
        { header: "fix", value: ({ fix }) => fix ?? "" },
      ]),
    ],
  };
  await print(page, options, options.tz ?? localZone(), terminal);
  return isWell ? EXIT.ok : EXIT.findings;
}
