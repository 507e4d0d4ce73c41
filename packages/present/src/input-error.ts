/** Invalid user input. The message states what was expected and what was given. */
export class InputError extends Error {}
