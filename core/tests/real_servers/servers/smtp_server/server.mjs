// nodemailer's smtp-server, with STARTTLS and XOAUTH2. Keeps every mail as it came in a file of its own.
// Arguments: the folder for the mails, the file with key and certificate, the token that signs in.

import { readFileSync, writeFileSync } from "node:fs";
import { SMTPServer } from "smtp-server";

const [folder, pem, token] = process.argv.slice(2);
const key = readFileSync(pem);
let count = 0;

const server = new SMTPServer({
  name: "mail.example.test",
  key,
  cert: key,
  authMethods: ["XOAUTH2"],
  size: 36_700_160,
  disableReverseLookup: true,
  onAuth: ({ accessToken, username }, _session, done) =>
    accessToken === token
      ? done(null, { user: username })
      : done(null, { data: { status: "401", schemes: "bearer" } }),
  onRcptTo: ({ address }, _session, done) =>
    done(address.startsWith("missing@") ? Object.assign(new Error("no such mailbox"), { responseCode: 550 }) : null),
  onData: (stream, _session, done) => {
    const pieces = [];
    stream.on("data", (piece) => pieces.push(piece));
    stream.on("end", () => {
      count += 1;
      writeFileSync(`${folder}/${String(count).padStart(4, "0")}`, Buffer.concat(pieces));
      done(null, "taken");
    });
  },
});
server.listen(0, "127.0.0.1", () => console.log(`port ${server.server.address().port}`));
