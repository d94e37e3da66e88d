// A local Microsoft 365 for tests.

/// <reference lib="esnext.disposable" />

import type { NewAccount } from './types';

/** Where everything is and what exists at the start, as the sandbox itself names it. */
export interface SandboxFacts {
  /** The authority without tenant, over HTTP. */
  identity_url: string;
  smtp_port: number;
  /** The page with the received mail. */
  inbox_url: string;
  /** The certificate authority of its servers, PEM. */
  ca_file: string;
  tenant_id: string;
  domain: string;
  public_client_id: string;
  service_client_id: string;
  service_client_secret: string;
  alice: { address: string; password: string };
  bob: { address: string; password: string };
  shared_mailbox: string;
  [more: string]: unknown;
}

/** A received mail. */
export interface SandboxMail {
  /** Its octets. */
  mime: Uint8Array;
  [more: string]: unknown;
}

/**
 * A local Microsoft 365 inside this process: Entra ID, Exchange's SMTP submission, and an inbox. It relays nothing and
 * reaches no network. All accounts and secrets in it are fake.
 */
export class Sandbox {
  private constructor();

  /** Starts one on free ports of 127.0.0.1. `randomSeed` makes its ids and secrets repeatable. */
  static start(options?: { randomSeed?: number }): Promise<Sandbox>;

  readonly facts: SandboxFacts;
  /** The seeded service, which signs in with its client secret and sends as the shared mailbox. */
  readonly billing: NewAccount;
  /** Alice, who signs in herself, with a device code. */
  readonly alice: NewAccount;

  /** The received mails, oldest first. */
  mails(): Promise<Array<SandboxMail>>;

  /** The received mails, which are then forgotten. */
  takeMails(): Promise<Array<SandboxMail>>;

  /** Makes something go wrong, such as `{ at: 'token', effect: { http: { status: 503, … } }, times: 'once' }`. */
  injectFault(fault: object): Promise<void>;

  /** Enters a device code and signs in as `user` (default: Alice), as a person does on the page. */
  approveDevice(userCode: string, user?: string): Promise<void>;

  /** Every secret it ever made or was shown, to search logs for. */
  secrets(): Promise<Array<string>>;

  /** Calls its control interface; `path` is below `/sandbox`. */
  call(method: string, path: string, body?: unknown): Promise<any>;

  /** Ends it. May be called twice. */
  stop(): Promise<void>;

  [Symbol.asyncDispose](): Promise<void>;
}
