"""Receivers of notices that Debian has, as stories start them, and who reads a feed."""
import email
import json
import os
import shutil
import subprocess
import urllib.parse
import urllib.request

from stage import Process, free_port, skip


def need(program, package):
    path = shutil.which(program) or f"/usr/sbin/{program}"
    if not os.path.exists(path):
        skip(f"{program} is not installed (Debian: {package})")
    return path


def secret(lab, name, text):
    path = os.path.join(lab.dir, name)
    with open(path, "w") as f:
        f.write(text + "\n")
    return path


ATOM = "{http://www.w3.org/2005/Atom}"


class Reader:
    """One who keeps a cursor and asks for what is behind it."""

    def __init__(self, collector, name, token):
        self.url, self.token = f"http://127.0.0.1:{collector.api}/api/fenwatch/v1/pull/{name}", token
        self.cursor, self.got = 0, []

    def ask(self, token=None, **params):
        request = urllib.request.Request(f"{self.url}?{urllib.parse.urlencode(params)}")
        request.add_header("Authorization", f"Bearer {token or self.token}")
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.read()

    def fetch(self, limit):
        page = json.loads(self.ask(after=self.cursor, limit=limit))["data"]
        self.cursor = page["next"]
        self.got += page["notices"]
        return page["more"]

    def fetch_all(self, limit=2):
        while self.fetch(limit):
            pass
        return len(self.got)


def alertmanager(lab, hook):
    program, port = need("prometheus-alertmanager", "prometheus-alertmanager"), free_port()
    config = os.path.join(lab.dir, "alertmanager.yml")
    with open(config, "w") as f:
        f.write("route: {receiver: desk, group_wait: 0s, group_interval: 1s, group_by: ['...']}\n"
                f"receivers: [{{name: desk, webhook_configs: [{{url: '{hook.url}'}}]}}]\n")
    process = Process(lab, "alertmanager", [
        program, "--config.file", config, "--storage.path", os.path.join(lab.dir, "am"),
        "--web.listen-address", f"127.0.0.1:{port}", "--cluster.listen-address="])
    lab.processes.append(process)
    process.start()
    return f"http://127.0.0.1:{port}"


def certificate(lab, name, whose="its"):
    """(certificate, key) of a server of this name, which vouches for itself."""
    cert, key = (os.path.join(lab.dir, f"{whose}-{name}.{kind}") for kind in ("crt", "key"))
    subprocess.run([need("openssl", "openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", f"/CN={name}", "-addext",
                    f"subjectAltName=DNS:{name}", "-keyout", key, "-out", cert], check=True, capture_output=True)
    return cert, key


def mailbox(lab, cert, key, mad=""):
    """(port, the mails so far) of a server that wants STARTTLS and a password; while the file `mad` is there, it misbehaves."""
    python = need("/usr/bin/python3", "python3")
    if subprocess.run([python, "-c", "import aiosmtpd"], capture_output=True).returncode:
        skip("aiosmtpd is not installed (Debian: python3-aiosmtpd)")
    port, path = free_port(), os.path.join(lab.dir, "mails")
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "mailbox.py")
    lab.processes.append(Process(lab, "mailbox", [python, script, str(port), cert, key, path, mad]).start())

    def mails():
        if not os.path.exists(path):
            return []
        with open(path) as f:
            return [dict(json.loads(line), mail=email.message_from_string(json.loads(line)["mail"])) for line in f]
    return port, mails


MIBS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "mibs")
OUR_MIBS = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "packaging", "mibs")


def snmptrapd(lab):
    """(process, port, the notifications so far) of snmptrapd, which knows a community and a user."""
    program, port = need("snmptrapd", "snmptrapd"), free_port()
    config, path = os.path.join(lab.dir, "snmptrapd.conf"), os.path.join(lab.dir, "traps")
    with open(config, "w") as f:
        f.write("authCommunity log council\ncreateUser fenwatch SHA-256 \"correct horse\" AES \"battery staple\"\n"
                "authUser log fenwatch priv\noutputOption s\nformat2 %P|%v\\n\n")
    process = Process(lab, "snmptrapd", [
        program, "-f", "-C", "-c", config, "-Lf", path, "-M", f"{MIBS}:{OUR_MIBS}", "-m", "FENWATCH-MIB",
        f"udp:127.0.0.1:{port}"], env={"SNMP_PERSISTENT_DIR": os.path.join(lab.dir, "snmp")})
    lab.processes.append(process)

    def traps():
        if not os.path.exists(path):
            return []
        with open(path, errors="replace") as f:
            return [line for line in f.read().splitlines() if "fenwatchAlertKey" in line]
    return process, port, traps
