"""remote_write to receivers that are strict, slow or out of order."""
import base64
import http.server
import os
import re
import ssl
import subprocess
import threading
import time

from samples import read_write_request, send, unsnap
from stage import check, main, until


class Receiver:
    """Takes requests with the right password, and keeps the samples that came."""

    AUTHORIZATION = "Basic " + base64.b64encode(b"fenwatch:secret").decode()

    def __init__(self, lab):
        self.lab, self.taken, self.refused = lab, {}, 0
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                self.send_response(receiver.take(self.headers, self.rfile))
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def start(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.lab.closers.append(self.server.shutdown)
        return self

    def take(self, headers, body):
        body = body.read(int(headers["Content-Length"]))
        if headers.get("Authorization") != self.AUTHORIZATION:
            self.refused += 1
            return 401
        for labels, samples in read_write_request(unsnap(body)):
            self.taken.setdefault(labels["__name__"], []).extend(samples)
        return 204


def metric(collector, name):
    return float(re.search(rf"^fenwatch_remote_write_{name}{{.*}} (.*)$", collector.request("/metrics")[1], re.M).group(1))


# ---- one that wants to know who comes ----

def guarded(lab):
    """One by https, whose certificate is of metrics.test; (receiver, the certificate's file)"""
    receiver = Receiver(lab)
    cert, key = (os.path.join(lab.dir, name) for name in ("receiver.pem", "receiver.key"))
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-subj", "/CN=metrics.test", "-addext", "subjectAltName=DNS:metrics.test", "-days", "2",
                    "-out", cert, "-keyout", key], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    receiver.server.socket = context.wrap_socket(receiver.server.socket, server_side=True)
    return receiver.start(), cert


def send_guarded(lab, tls, secret="secret"):
    """(receiver, collector): two series have been written here, one of which it is to get."""
    receiver, cert = guarded(lab)
    password = os.path.join(lab.dir, "password")
    with open(password, "w") as f:
        f.write(secret + "\n")
    collector = lab.collector(extra=(
        f"remote_write:\n- url: https://127.0.0.1:{receiver.server.server_port}/write\n  user: fenwatch\n"
        f"  password_file: {password}\n  match: ['{{kind=~\"ke.t\"}}']\n  tls: {tls.format(cert=cert)}\n")).start()
    now = int(time.time() * 1000)
    send(f"http://127.0.0.1:{collector.api}/api/v1/write",
         [({"__name__": f"{kind}_series", "kind": kind}, [(now, 1.5)]) for kind in ("kept", "left")], collector.token)
    return receiver, collector


def test_a_receiver_with_tls_and_a_password(lab):
    receiver, collector = send_guarded(lab, "{{ca: {cert}, server_name: metrics.test}}")
    until(30, "the series comes and no more is due",
          lambda: "kept_series" in receiver.taken and metric(collector, "behind_bytes") == 0)
    check(receiver.refused == 0 and list(receiver.taken) == ["kept_series"], receiver.taken)


def test_a_receiver_with_another_name_gets_nothing(lab):
    """The control: the certificate is not of 127.0.0.1."""
    receiver, collector = send_guarded(lab, "{{ca: {cert}}}")
    until(30, "it is tried again", lambda: metric(collector, "retries_total") > 1)
    check(not receiver.taken and not receiver.refused, receiver.taken)


def test_a_receiver_with_another_password_gets_nothing(lab):
    receiver, collector = send_guarded(lab, "{{ca: {cert}, server_name: metrics.test}}", "guess")
    until(30, "the sample is dropped", lambda: metric(collector, "dropped_total") == 1)
    check(not receiver.taken and receiver.refused, receiver.taken)


main()
