/**
 * The public names of `@toolmeter/present`: parses user input and formats values for people. Has no effects: it
 * performs no I/O.
 */
export { change, changeOfShare } from "./changes.ts";
export { duration, parseDuration } from "./durations.ts";
export { InputError } from "./input-error.ts";
export { parseQuestion } from "./question.ts";
export {
  csvField,
  escapeJson,
  forTerminal,
  markdown,
  markdownLine,
  oneLine,
  plain,
  toJson,
} from "./safe.ts";
export { parseShare, percent } from "./shares.ts";
export { bytes, parseSize } from "./sizes.ts";
export { sparkline } from "./sparkline.ts";
export { clockTime, isoTime, localZone, parseMoment, parseZone, shortTime } from "./times.ts";
export { show } from "./values.ts";

export type { Question, QuestionTexts } from "./question.ts";
export type { Kind, Value } from "./values.ts";
