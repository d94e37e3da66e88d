// What a program in TypeScript may write, and what its compiler refuses. It is compiled and never run.

import { Mailbearer, MailbearerError, type Delivery, type Event, type Message } from 'mailbearer';

export async function use(): Promise<string> {
  const mailbearer: Mailbearer = await Mailbearer.open({ timeouts: { replyMs: 5_000 } });
  const message: Message = { account: 'billing', to: [{ address: 'ada@contoso.example' }] };
  message.attachments = [{ content: { type: 'data', data: new Uint8Array([1]) } }];
  try {
    const delivery: Delivery = await mailbearer.send(message);
    return delivery.recipients.map(({ verdict }) => verdict).join();
  } catch (error) {
    if (!(error instanceof MailbearerError)) throw error;
    if (error.retry.type === 'after') return String(error.retry.delayMs);
    return `${error.kind}: ${error.fix} ${error.answer ?? ''} ${error.recipients.length}`;
  } finally {
    await mailbearer.close();
  }
}

export async function watch(mailbearer: Mailbearer): Promise<void> {
  for await (const event of mailbearer.events()) describe(event);
}

function describe(event: Event): string {
  return event.type === 'mailFailed' ? event.problem.fix : event.type;
}

export async function refused(mailbearer: Mailbearer): Promise<void> {
  // @ts-expect-error: handles are opened
  new Mailbearer();
  // @ts-expect-error: no such field
  await mailbearer.send({ account: 'billing', recipient: 'ada@contoso.example' });
  // @ts-expect-error: no such word
  await mailbearer.beginSignIn('billing', 'carrierPigeon');
  // @ts-expect-error: a file has no data
  await mailbearer.send({ attachments: [{ content: { type: 'file', data: 'aGk=' } }] });
  // @ts-expect-error: errors do not change
  new MailbearerError({} as MailbearerError['problem']).code = 'other';
}
