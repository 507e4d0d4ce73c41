/** Every command, in the order of the help. */
import { check } from "./check.ts";
import { clients } from "./clients.ts";
import { completion } from "./completion.ts";
import { confusion } from "./confusion.ts";
import { demo } from "./demo.ts";
import { doctor } from "./doctor.ts";
import { errors } from "./errors.ts";
import { exportCalls } from "./export.ts";
import { health } from "./health.ts";
import { importCalls } from "./import.ts";
import { install } from "./install.ts";
import { merge } from "./merge.ts";
import { prune } from "./prune.ts";
import { record } from "./record.ts";
import { report } from "./report.ts";
import { session } from "./session.ts";
import { sessions } from "./sessions.ts";
import { slow } from "./slow.ts";
import { sql } from "./sql.ts";
import { tail } from "./tail.ts";
import { tax } from "./tax.ts";
import { tools } from "./tools.ts";
import { transitions } from "./transitions.ts";
import { uninstall } from "./uninstall.ts";
import type { CommandLine } from "./command-line.ts";

export const COMMANDS: readonly ((line: CommandLine) => void)[] = [
  record,
  install,
  uninstall,
  report,
  tools,
  sessions,
  session,
  errors,
  slow,
  clients,
  transitions,
  tax,
  confusion,
  tail,
  health,
  check,
  doctor,
  exportCalls,
  importCalls,
  merge,
  prune,
  sql,
  demo,
  completion,
];
