"""The command line as people use it: what they do not know yet, what they mistype, where they stand."""
import json
import os
import re
import subprocess

from stage import check, main, until

FULL = "builtin_rules: {FilesystemAlmostFull: {threshold: 100%, recovery: 101%, hold: 0s}}\n"


def ask(lab, *argv, **env):
    """Without what the surroundings say of a collector."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("FENWATCH_")}
    return subprocess.run([lab.program("cli"), *argv], env=dict(clean, **env), capture_output=True, text=True, timeout=60)


def test_what_is_mistyped_is_answered_with_what_was_meant(lab):
    for argv, words in ((["allerts"], "did you mean 'alerts'?"), (["hosts", "--jsno"], "did you mean '--json'?"),
                        (["report", "sla", "--csv", "--html"], "not several of them"),
                        (["report", "sla", "--csv", "--json"], "not several of them"),
                        (["licences", "--csv", "--html"], "not several of them"),
                        (["events", "--from", "1h"], "--from '1h' is no time"),
                        (["report", "capacity", "--at", "2026-13-01"], "--at '2026-13-01' is no time"),
                        (["token", "fresh"], "needs one of these words: new, list, revoke"),
                        (["help", "allerts"], "did you mean 'alerts'?")):
        done = ask(lab, *argv)
        check(done.returncode == 2 and words in done.stderr and not done.stdout, f"{argv}: {done}")
    for argv in (["help", "feed"], ["feed", "--help"], ["--help", "feed"]):
        done = ask(lab, *argv)
        check(done.returncode == 0 and "feed rehearse" in done.stdout and "advisories" not in done.stdout, f"{argv}: {done}")
    check("advisories" in ask(lab, "help").stdout, "help alone names them all")


def test_who_has_no_token_or_no_collector_is_told_where_to_say_it(lab):
    c = lab.collector().start()
    api = f"http://127.0.0.1:{c.api}"
    done = ask(lab, "--api", api, "hosts")
    check(done.returncode == 3 and "FENWATCH_TOKEN" in done.stderr and "--token-file" in done.stderr, f"{done}")
    done = ask(lab, "--api", api, "hosts", FENWATCH_TOKEN="fwt1-wrong")
    check(done.returncode == 3 and "revoked or has expired" in done.stderr, f"{done}")
    done = ask(lab, "--api", api, "--token-file", os.path.join(c.data, "admin.token"), "hosts")
    check(done.returncode == 0 and "no hosts" in done.stdout and "token new --join" in done.stdout, f"{done}")
    c.stop()
    done = ask(lab, "--api", api, "hosts")
    check(done.returncode == 3 and "FENWATCH_API" in done.stderr, f"{done}")


def certificate(lab):
    """For this machine, by an authority of the house: itself."""
    base = os.path.join(lab.dir, "api")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "3", "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=DNS:localhost", "-keyout", base + ".key", "-out", base + ".pem"],
                   check=True, capture_output=True)
    return base


def test_a_collector_whose_certificate_is_of_the_house_is_asked_by_its_authority(lab):
    base = certificate(lab)
    hook = lab.webhook()
    c = lab.collector(extra=f"feeds: [{{name: desk, type: webhook, url: \"{hook.url}\"}}]\n")
    with open(c.config) as f:
        text = f.read()
    with open(c.config, "w") as f:
        f.write(re.sub(r"api: \{.*\}", f"api: {{listen: \"0.0.0.0:{c.api}\", "
                                       f"tls: {{cert: {base}.pem, key: {base}.key}}}}", text))
    c.start(wait=False).logged("ready")
    token = ["--token-file", os.path.join(c.data, "admin.token")]
    api = ["--api", f"https://localhost:{c.api}"]
    done = ask(lab, *api, *token, "hosts")
    check(done.returncode == 3 and "certificate" in done.stderr and "--ca-file" in done.stderr, f"{done}")
    done = ask(lab, *api, *token, "--ca-file", base + ".pem", "hosts")
    check(done.returncode == 0, f"{done}")
    check(ask(lab, *api, *token, "hosts", FENWATCH_CA_FILE=base + ".pem").returncode == 0, "by the environment")
    done = ask(lab, "--api", f"https://127.0.0.1:{c.api}", *token, "--ca-file", base + ".pem", "hosts")
    check(done.returncode == 3 and "--ca-file" not in done.stderr, f"another name is no fault of the authority: {done}")
    check(ask(lab, *api, *token, "--ca-file", base + ".pem", "feed", "test", "desk").returncode == 0, "a notice")
    link = hook.notices()[0][2]["externalURL"]
    check(link == f"https://{os.uname().nodename}:{c.api}", f"a link that leads somewhere: {link}")


def test_what_fires_is_acknowledged_by_the_key_that_is_shown(lab):
    c, _ = lab.pair(extra=FULL)
    until(30, "an alert", lambda: "FilesystemAlmostFull" in c.cli("alerts").stdout)
    key = re.search(r"FilesystemAlmostFull +(fw1-[0-9a-f]{8})", c.cli("alerts").stdout)[1]
    page = c.cli("host", "agent").stdout
    check(f"key {key}" in page, f"the page of the host has it, too: {page}")
    done = c.cli("ack", key, "--note", "on my way")
    check(done.returncode == 0 and key in done.stdout, f"{done}")
    check(re.search(rf"acknowledged .*{key}", c.cli("alerts").stdout), c.cli("alerts").stdout)


def test_a_stretch_of_days_begins_with_the_first_and_ends_with_the_last(lab):
    c = lab.collector().start()
    done = c.cli("--json", "report", "sla", "--from", "2026-10-01", "--to", "2026-10-31")
    said = json.loads(done.stdout)
    check(said["from"] == "2026-10-01T00:00:00.000Z" and said["until"].startswith("2026-10-31T23:59:59"), f"{said}")
    done = c.cli("--json", "range", "time()", "--from", "2026-10-01", "--to", "2026-10-01", "--step", "12h")
    times = [at for at, _ in json.loads(done.stdout)["result"][0]["values"]]
    check(times == [1790812800, 1790856000], f"midnight and noon: {times}")


main()
