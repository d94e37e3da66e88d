// What calls take beside the core's own types: JavaScript's forms of octets, streams and cancellation.

import type { Attachment, Content, Message } from './types';

/** Octets in any of JavaScript's forms, or text, which is taken as base64. */
export type AnyBytes = ArrayBufferView | ArrayBuffer | string;

/**
 * What an attachment is made of: octets, a `file:` URL, a `Blob`, a `Readable` or any other asynchronous iterable of
 * octets or text (as UTF-8), or the core's own form.
 */
export type AttachmentSource =
  | Content
  | { type: 'data'; data: AnyBytes }
  | ArrayBufferView
  | ArrayBuffer
  | { readonly href: string }
  | { arrayBuffer(): Promise<ArrayBuffer> }
  | AsyncIterable<ArrayBufferView | string>;

/** An {@link Attachment} with content of any kind. */
export type AttachmentInput = Omit<Attachment, 'content'> & { content: AttachmentSource };

/** A {@link Message} with attachments of any kind. */
export type MessageInput = Omit<Message, 'attachments'> & { attachments?: Array<AttachmentInput> };

/** How a call may be ended before it is done. */
export interface CallOptions {
  /** Drops the work as soon as it aborts; the promise rejects with its `reason`. */
  signal?: CallSignal | null;
}

/** An `AbortSignal`, in the words that every version of its declaration shares. */
export interface CallSignal {
  readonly aborted: boolean;
  readonly reason?: any;
  addEventListener(type: 'abort', listener: (event: any) => void, options?: any): void;
  removeEventListener(type: 'abort', listener: (event: any) => void): void;
}
