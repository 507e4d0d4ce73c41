import { closeSync, openSync } from "node:fs";
import { devNull } from "node:os";

/** Whether this process can open `count` more files, sockets or pipes at this moment. */
export function hasSpareDescriptors(count: number): boolean {
  const opened: number[] = [];
  try {
    while (opened.length < count) opened.push(openSync(devNull, "r"));
  } catch {
    // The limit is reached.
  }
  for (const descriptor of opened) closeSync(descriptor);
  return opened.length === count;
}
