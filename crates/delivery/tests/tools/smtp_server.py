"""A real mail server on a free loopback port, for tests.

    smtp_server.py FOLDER [--tls none|starttls|implicit] [--login USER:PASSWORD] [--port PORT]
                   [--messages N --ends close|421|mail] [--idle SECONDS]

Each message that it takes becomes a file FOLDER/message-N.json: envelope, headers and parts as
Python's own e-mail parser reads them, and the raw text. With TLS it makes its own authority,
FOLDER/ca.pem. It prints its port once it listens, and ends when its input ends. FOLDER/connections
says how many were opened and how many of them are open still: "12 3".
After N messages on one connection it closes it at once, answers the next MAIL with 421, or closes
at the next MAIL without an answer; after so many seconds without a command it closes it too.
How it behaves depends on the recipient's local part:

    greylisted  451 to RCPT            nobody      550 5.1.1 to RCPT
    blocked     550 5.7.1 to RCPT      unplain     550 without an enhanced code to RCPT
    gone        closes at RCPT         spam        554 5.7.1 to the final dot
    later       451 to the final dot   vanish      keeps the message, closes without an answer
    silent      keeps the message and never answers
    quota       454 4.7.0 to RCPT          stutter     answers the final dot twice
    early       250 instead of 354 to DATA
"""

import argparse
import asyncio
import email
import email.policy
import json
import logging
import pathlib
import ssl
import sys
import warnings

import trustme
from aiosmtpd.smtp import SMTP, AuthResult


class Handler:
    def __init__(self, folder):
        self.folder = folder
        self.taken = 0
        self.connections = [0, 0]

    def connection(self, opened, stays):
        self.connections[0] += opened
        self.connections[1] += stays
        part = self.folder / "connections.part"
        part.write_text("%d %d" % tuple(self.connections))
        part.rename(self.folder / "connections")

    def local_part(self, address):
        return address.split("@", 1)[0]

    def keep(self, server, envelope):
        message = email.message_from_bytes(
            envelope.original_content, policy=email.policy.default
        )
        found = {
            "encrypted": server.transport.get_extra_info("sslcontext") is not None,
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "type": message.get_content_type(),
            "headers": [[name, str(value)] for name, value in message.items()],
            "parts": [[p.get_content_type(), p.get_content()] for p in message.iter_parts()],
            "raw": envelope.original_content.decode("latin-1"),
        }
        name = f"message-{self.taken}.json"
        part = self.folder / (name + ".part")
        part.write_text(json.dumps(found))
        part.rename(self.folder / name)

    async def handle_RCPT(self, server, session, envelope, address, options):
        local = self.local_part(address)
        if local == "greylisted":
            return f"451 4.7.1 <{address}>: greylisted, come again"
        if local == "quota":
            return f"454 4.7.0 <{address}>: maximum sending rate exceeded"
        if local == "nobody":
            return f"550 5.1.1 <{address}>: no such user"
        if local == "blocked":
            return f"550 5.7.1 <{address}>: relaying denied"
        if local == "unplain":
            return f"550 <{address}> unknown"
        if local == "gone":
            server.transport.abort()
            return "421 gone"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        local = self.local_part(envelope.rcpt_tos[0])
        if local == "spam":
            return "554 5.7.1 looks like spam"
        if local == "later":
            return "451 4.3.0 the disk is full"
        self.taken += 1
        server.carried += 1
        self.keep(server, envelope)
        if local == "vanish":
            server.transport.abort()
            return "421 gone"
        if local == "silent":
            await asyncio.Event().wait()
        if local == "stutter":
            await server.push(f"250 2.0.0 Ok: queued as T{self.taken}")
        return f"250 2.0.0 Ok: queued as T{self.taken}"


class Session(SMTP):
    """One connection."""

    def __init__(self, handler, given, **options):
        super().__init__(handler, **options)
        self.handler, self.given, self.carried, self.here = handler, given, 0, False

    def connection_made(self, transport):
        # Called once more when the connection is upgraded.
        if not self.here:
            self.here = True
            self.handler.connection(1, 1)
        super().connection_made(transport)

    def connection_lost(self, error):
        if self.here:
            self.here = False
            self.handler.connection(0, -1)
        super().connection_lost(error)

    async def smtp_MAIL(self, arg):
        if self.given.messages and self.carried >= self.given.messages:
            if self.given.ends == "421":
                await self.push("421 4.7.0 too many messages on this connection")
                self.transport.close()
            else:
                self.transport.abort()
            return
        await super().smtp_MAIL(arg)

    async def smtp_DATA(self, arg):
        if self.envelope.rcpt_tos and self.envelope.rcpt_tos[0].startswith("early@"):
            await self.push("250 OK")
            return
        await super().smtp_DATA(arg)
        if self.given.ends == "close" and self.carried == self.given.messages:
            self.transport.close()


async def main():
    options = argparse.ArgumentParser()
    options.add_argument("folder", type=pathlib.Path)
    options.add_argument("--tls", choices=["none", "starttls", "implicit"], default="none")
    options.add_argument("--login")
    options.add_argument("--port", type=int, default=0)
    options.add_argument("--messages", type=int)
    options.add_argument("--ends", choices=["close", "421", "mail"], default="close")
    options.add_argument("--idle", type=float, default=300)
    given = options.parse_args()

    # Clients that hang up are what the tests are about.
    logging.getLogger("mail.log").setLevel(logging.CRITICAL)
    warnings.simplefilter("ignore")

    context = None
    if given.tls != "none":
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(given.folder / "ca.pem"))
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)

    def authenticate(server, session, envelope, mechanism, data):
        said = b":".join([data.login, data.password]).decode()
        return AuthResult(success=said == given.login, handled=False)

    handler = Handler(given.folder)

    def session():
        return Session(
            handler,
            given,
            timeout=given.idle,
            hostname="localhost",
            ident="test",
            tls_context=context if given.tls == "starttls" else None,
            require_starttls=given.tls == "starttls",
            authenticator=authenticate if given.login else None,
            auth_required=given.login is not None,
            auth_require_tls=given.tls == "starttls",
        )

    server = await asyncio.get_running_loop().create_server(
        session, "127.0.0.1", given.port, ssl=context if given.tls == "implicit" else None
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


asyncio.run(main())
