import { type CallFilter, FAILED, fromCalls } from "./filter.ts";
import { type QuerySource, all, stream } from "./source.ts";
import { type Figures, Tally } from "./usage.ts";

/** One version of a tool's definition and the figures of its calls. */
export interface DefinitionVersion extends Figures {
  readonly hash: string;
  readonly tokens: number;
  readonly bytes: number;
  /** Milliseconds since 1970 UTC. */
  readonly firstSeenAt: number;
  readonly lastSeenAt: number;
  /** Share of rejected calls, from 0 to 1. It usually reacts first to an edited description. */
  readonly rejectionRate: number;
}

interface Row {
  readonly hash: string;
  readonly ms: number;
  readonly failed: number;
  readonly rejected: number;
  readonly tokens: number | null;
}

/** Compares the versions of a tool's name, description and schemas, latest first. */
export function definitionVersions(
  source: QuerySource,
  toolName: string,
  filter: CallFilter,
): DefinitionVersion[] {
  const from = fromCalls({ ...filter, tools: [toolName] });
  const tallies = new Map<string, { readonly tally: Tally; rejections: number }>();
  const sql = `select call.definition_hash as hash, call.duration_ms as ms, call.status in ${FAILED} as failed,
      call.status = 'rejected' as rejected, call.output_tokens as tokens
    ${from.sql} and call.definition_hash is not null`;
  for (const { hash, ms, failed, rejected, tokens } of stream<Row>(source, sql, from.values)) {
    let version = tallies.get(hash);
    if (!version) tallies.set(hash, (version = { tally: new Tally(), rejections: 0 }));
    version.tally.add(ms, failed === 1, tokens);
    version.rejections += rejected;
  }
  const versions = all<
    Pick<DefinitionVersion, "hash" | "tokens" | "bytes" | "firstSeenAt" | "lastSeenAt">
  >(
    source,
    `select hash, tokens, bytes, first_seen_at_ms as firstSeenAt, last_seen_at_ms as lastSeenAt
       from tool_definitions where tool_name = ? order by first_seen_at_ms desc, last_seen_at_ms desc`,
    [toolName],
  );
  return versions.map((version) => {
    const { tally, rejections } = tallies.get(version.hash) ?? {
      tally: new Tally(),
      rejections: 0,
    };
    const { figures } = tally;
    const rejectionRate = figures.calls === 0 ? 0 : rejections / figures.calls;
    return { ...version, ...figures, rejectionRate };
  });
}
