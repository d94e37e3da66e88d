// What calls take beside the core's own types: JavaScript's forms of octets, streams and cancellation.

/// <reference lib="esnext.disposable" />

import type { Attachment, Content, Event, Message } from './types';

/** Octets in any of JavaScript's forms, a `Blob` or a stream of them, or text, which is taken as base64. */
export type AnyBytes = ArrayBufferView | ArrayBuffer | BlobLike | OctetStream | string;

/** A `Blob`, in the words that every version of its declaration shares. */
export interface BlobLike {
  readonly size: number;
  arrayBuffer(): Promise<ArrayBuffer>;
}

/** A `Readable` or any other asynchronous iterable of octets or text (sent as UTF-8). It is read to its end. */
export type OctetStream = AsyncIterable<ArrayBufferView | ArrayBuffer | string>;

/** What an attachment is made of: octets, a `Blob`, a stream, a `file:` URL, or the core's own form. */
export type AttachmentSource =
  | Content
  | { type: 'data'; data: AnyBytes }
  | { type: 'file'; path: { readonly href: string } }
  | Exclude<AnyBytes, string>
  | { readonly href: string };

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

/**
 * What happens, event by event, from the moment it was asked for. It ends when the handle is closed, or when it is left
 * (`break`, `return()`). Only a wait for the next event keeps the process alive. A reader that is too slow gets an event
 * of type `missed`.
 */
export interface EventIterator extends AsyncIterableIterator<Event> {
  return(): Promise<IteratorResult<Event>>;
  [Symbol.asyncDispose](): Promise<void>;
}
