"""A mail server with STARTTLS and a password, which writes what it gets to a file, a mail a line.

usage: mailbox.py PORT CERTIFICATE KEY FILE [MAD]     (aiosmtpd, run by the distribution's python3)

While there is a file MAD it wants to be asked later at times, or keeps a mail and dies before it says so.
"""
import asyncio
import json
import os
import random
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult

port, certificate, key, path, mad = sys.argv[1:]


class Keeper:
    async def handle_DATA(self, server, session, envelope):
        folly = random.choice(("later", "died", None, None)) if os.path.exists(mad) else None
        if folly == "later":
            return "451 not now"
        with open(path, "a") as f:
            f.write(json.dumps({"tls": session.ssl is not None, "from": envelope.mail_from,
                                "to": envelope.rcpt_tos, "died": folly == "died", "mail": envelope.content.decode()}) + "\n")
        if folly == "died":
            server.transport.abort()
        return "250 kept"


def is_known(server, session, envelope, mechanism, data):
    known = (data.login, data.password) == (b"fenwatch", b"correct horse")
    return AuthResult(success=known, handled=False)


async def main():
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    server = await asyncio.get_running_loop().create_server(
        lambda: SMTP(Keeper(), tls_context=tls, require_starttls=True, auth_required=True, authenticator=is_known,
                     hostname="localhost"), "127.0.0.1", int(port))
    await server.serve_forever()


asyncio.run(main())
