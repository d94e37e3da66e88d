// Mailbearer in programs that use nodemailer.

import type { Mailbearer } from './handle';
import type { Delivery } from './types';

/** What `sendMail` resolves to, beside what nodemailer itself promises. */
export interface SentMessageInfo {
  envelope: { from: string | false; to: Array<string> };
  messageId: string;
  messageSize: number;
  response: string;
  accepted: Array<string>;
  rejected: Array<string>;
  rejectedErrors: Array<Error & { recipient: string; code: string; fix: string; responseCode?: number; response?: string }>;
  /** Mailbearer's own account of it. */
  delivery: Delivery;
}

/**
 * A transport for `nodemailer.createTransport`: nodemailer builds the mail, Mailbearer signs in and sends it. Errors are
 * `MailbearerError`s that carry nodemailer's `responseCode`, `response` and `rejected`, too. A mail's `signal` ends its
 * sending. `verify` obtains an access token, and does not connect to the mail server. Closing the transport leaves the
 * handle open. Options of SMTP (`dsn`, `auth`, `tls`, pooling, a proxy) have no meaning here.
 */
export function mailbearerTransport(options: { mailbearer: Mailbearer; account: string }): {
  name: string;
  version: string;
  supportsAbortSignal: true;
  send(mail: any, callback: (error: Error | null, info?: SentMessageInfo) => void): void;
  verify(callback?: (error: Error | null, ready?: true) => void): Promise<true> | void;
  isIdle(): boolean;
  close(): void;
};

/**
 * The `auth` of nodemailer's own SMTP transport, with tokens from Mailbearer. `user` is the mailbox that signs in.
 *
 * Where nodemailer asks for a token in place of a refused one, it gets a renewed one. It asks only if the server sends a
 * challenge first (334); Exchange Online refuses at once (535), and the mail fails with `EAUTH`. `mailbearerTransport`
 * renews the token there, too, and sends the mail.
 */
export function mailbearerAuth(options: { mailbearer: Mailbearer; account: string; user: string }): {
  type: 'OAuth2';
  user: string;
  provisionCallback(
    user: string,
    renew: boolean,
    callback: (error: Error | null, token?: string, expires?: number) => void,
  ): void;
};
