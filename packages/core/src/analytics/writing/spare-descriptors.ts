import { closeSync, openSync } from "node:fs";
import { devNull } from "node:os";

/** Whether this process can open `count` more files, sockets or pipes at this moment. */
export function hasSpareDescriptors(count: number): boolean {
  const opened: number[] = [];
  try {
    while (opened.length < count) opened.push(openSync(devNull, "r"));
    return true;
  } catch {
    return false;
  } finally {
    for (const descriptor of opened) closeSync(descriptor);
  }
}
