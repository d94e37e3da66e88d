// The face of the package. What goes in and out is generated: the types in `types.d.ts`, the handle in `handle.d.ts`.

import type { LogLevel, LogRecord, Problem, ProblemKind, RecipientVerdict, Retry } from './types';

export type * from './types';
export type * from './input';
export { Mailbearer } from './handle';

/** A failure with its cause and the next step. Its message is the problem's text. */
export class MailbearerError extends Error {
  constructor(problem: Problem);

  name: 'MailbearerError';
  /** What the caller must do. */
  readonly kind: ProblemKind;
  /** The cause as a stable label. */
  readonly code: string;
  /** The next step, for the person who can take it. */
  readonly fix: string;
  /** Whether and when to try the same again. */
  readonly retry: Retry;
  /** What Mailbearer was doing. */
  readonly operation: string;
  /** The server's own words, where a server answered. */
  readonly answer?: string | null;
  /** The verdict on each recipient, where the server gave one. */
  readonly recipients: Array<RecipientVerdict>;
  /** All of it, as plain data: what to pass on to another thread, which takes no fields of an error. */
  readonly problem: Problem;
}

/**
 * Hands every record of the log of `level` (default `info`) and above to `listener`, in place of an earlier one; with
 * `null`, to nobody. There is one listener in a process, whichever thread set it. It is called on the event loop, is
 * not waited for, and keeps no process alive; what it throws is an uncaught exception. Records hold no secret, and
 * above `debug` no address. Throws a {@link MailbearerError} of kind `misuse` for arguments that are none.
 */
export function setLogger(listener: ((record: LogRecord) => void) | null, options?: { level?: LogLevel }): void;
