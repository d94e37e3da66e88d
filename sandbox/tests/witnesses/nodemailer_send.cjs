// Sends the message on standard input with Nodemailer. The only argument is JSON: server, user, token, recipients.
"use strict";

const fs = require("node:fs");
const nodemailer = require("nodemailer");

const mail = JSON.parse(process.argv[2]);
const transport = nodemailer.createTransport({
  host: mail.host,
  port: mail.port,
  requireTLS: true,
  tls: { ca: fs.readFileSync(mail.ca_file), servername: "localhost" },
  auth: { type: "OAuth2", user: mail.user, accessToken: mail.token },
});
const message = { envelope: { from: mail.user, to: mail.recipients }, raw: fs.readFileSync(0) };

transport.sendMail(message).then(
  (info) => console.log(info.response),
  (error) => {
    console.error(error);
    process.exitCode = 1;
  },
);
