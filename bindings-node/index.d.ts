// The face of the package. The types of what goes in and out are generated, in `types.d.ts`.

import type {
  Account,
  Bytes,
  Config,
  Delivery,
  Diagnosis,
  Envelope,
  Event,
  Evidence,
  Message,
  NewAccount,
  Problem,
  ProblemKind,
  RecipientVerdict,
  RevealedAccessToken,
  Retry,
  SignInFlow,
  SignInPrompt,
  TokenStatus,
} from './types';

export type * from './types';

/**
 * A handle on everything Mailbearer does. No method blocks the event loop; every promise rejects with a
 * {@link MailbearerError}, or with a plain `Error` when a value does not have the type asked for.
 */
export class Mailbearer {
  private constructor();

  /** Opens a handle. Kinds of errors: `config`, `storage`. */
  static open(config?: Config): Promise<Mailbearer>;

  /** Waits for the deliveries in flight, refuses new work, and ends the iterators of events. May be called twice. */
  close(): Promise<void>;

  /** Validates and stores an account. */
  addAccount(account: NewAccount): Promise<Account>;

  /** All accounts, by name. */
  accounts(): Promise<Array<Account>>;

  /** Removes an account with its secrets and tokens. */
  removeAccount(account: string): Promise<void>;

  /** Begins a person's sign-in and resolves to what to show them. */
  beginSignIn(account: string, flow?: SignInFlow): Promise<SignInPrompt>;

  /** Waits until the person has signed in, has declined, or the code has ended. */
  finishSignIn(prompt: SignInPrompt): Promise<TokenStatus>;

  /** A valid access token, for other mail libraries. It is a secret. */
  accessToken(account: string): Promise<RevealedAccessToken>;

  /** What is known of an account's tokens; asks no server. */
  tokenStatus(account: string): Promise<TokenStatus>;

  /**
   * Sends a mail and waits for the verdict on each recipient.
   *
   * Resolves when the server took it for at least one; otherwise the error holds the verdicts.
   */
  send(message: Message): Promise<Delivery>;

  /** Sends a finished message (RFC 5322) as it is, but for line ends. Text is taken as base64. */
  sendRaw(envelope: Envelope, mime: Bytes): Promise<Delivery>;

  /**
   * Everything that happens from now on. Ends when the handle is closed; until then, a wait for the next event keeps
   * the process alive.
   */
  events(): AsyncGenerator<Event, void, void>;

  /** The possible causes of a failure seen anywhere, best first. Asks no server. */
  explain(evidence: Evidence): Array<Diagnosis>;
}

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
  /** All of it, as plain data. */
  readonly problem: Problem;
}
