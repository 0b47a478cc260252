"""A mail server for tests: STARTTLS and a password are required; each mail is a file."""
import json, socket, ssl, sys
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

cert, key, folder, refusal = sys.argv[1:5]


class Keeper:
    count = 0

    async def handle_DATA(self, server, session, envelope):
        if refusal:
            return refusal
        Keeper.count += 1
        mail = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "tls": session.ssl is not None,
            "content": envelope.content.decode("utf-8"),
        }
        with open(f"{folder}/{Keeper.count}.json", "w") as out:
            json.dump(mail, out)
        return "250 kept as %d" % Keeper.count


def authenticate(server, session, envelope, mechanism, data):
    good = isinstance(data, LoginPassword) and (data.login, data.password) == (b"me", b"pw")
    # Not handled: the server is to answer by itself.
    return AuthResult(success=good, handled=False)


context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(cert, key)
controller = Controller(
    Keeper(), hostname="127.0.0.1", port=0, tls_context=context, require_starttls=True,
    authenticator=authenticate, auth_required=True,
)


def port_of(controller):
    return controller.server.sockets[0].getsockname()[1]


def trigger():
    """The controller connects to itself to see that it works, and does not know its port."""
    with socket.create_connection(("127.0.0.1", port_of(controller)), 5) as connection:
        connection.recv(1024)


controller._trigger_server = trigger
controller.start()
print(port_of(controller), flush=True)
sys.stdin.read()
