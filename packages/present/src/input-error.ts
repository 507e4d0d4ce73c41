/** A text that a user gave is not what was expected. The message says what was expected, and what came. */
export class InputError extends Error {}
