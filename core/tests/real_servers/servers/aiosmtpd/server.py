"""aiosmtpd with STARTTLS and XOAUTH2. Keeps every mail as it came in a file of its own.

Arguments: the folder for the mails, the file with key and certificate, the token that signs in.
"""

import asyncio
import ssl
import sys
from base64 import b64decode
from pathlib import Path

from aiosmtpd.smtp import SMTP, AuthResult

FOLDER, PEM, TOKEN = Path(sys.argv[1]), sys.argv[2], sys.argv[3]


class Handler:
    count = 0

    async def auth_XOAUTH2(self, server: SMTP, args: list[str]) -> AuthResult:
        said = args[1].encode() if len(args) > 1 else await server.challenge_auth("", encode_to_b64=False)
        if not isinstance(said, bytes):
            return AuthResult(success=False)
        sent = b64decode(said) if len(args) > 1 else said
        return AuthResult(success=f"\x01auth=Bearer {TOKEN}\x01".encode() in sent, handled=False)

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("missing@"):
            return "550 5.1.1 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 taken"

    async def handle_DATA(self, server, session, envelope):
        self.count += 1
        (FOLDER / f"{self.count:04}").write_bytes(envelope.original_content)
        return "250 2.0.0 taken"


async def main() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(PEM)
    handler = Handler()

    def session() -> SMTP:
        return SMTP(
            handler,
            hostname="mail.example.test",
            tls_context=context,
            require_starttls=True,
            auth_required=True,
            auth_exclude_mechanism=["LOGIN", "PLAIN"],
            enable_SMTPUTF8=True,
            data_size_limit=36_700_160,
        )

    server = await asyncio.get_running_loop().create_server(session, "127.0.0.1", 0)
    print("port", server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main())
