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
    done = ask(lab, "--api", api, "--token-file", lab.program("cli"), "hosts")
    check(done.returncode == 2 and "larger than" in done.stderr, f"a file that is no token's: {done}")
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
    c.reconfigure(f"\"127.0.0.1:{c.api}\"", f"\"0.0.0.0:{c.api}\", tls: {{cert: {base}.pem, key: {base}.key}}")
    c.start(wait=False).logged("ready")
    token = ["--token-file", os.path.join(c.data, "admin.token")]
    api = ["--api", f"https://localhost:{c.api}"]
    done = ask(lab, "--api", f"http://localhost:{c.api}", *token, "hosts")
    check(done.returncode == 3 and "https://" in done.stderr, f"asked without TLS: {done}")
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
    # Others' filesystems come and go.
    root = until(20, "that of /", lambda: [a for a in c.alerts(rule="FilesystemAlmostFull") if a["labels"]["mountpoint"] == "/"])
    key = root[0]["key"][:12]
    check(re.search(rf"FilesystemAlmostFull +{key}", c.cli("alerts").stdout), c.cli("alerts").stdout)
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
    # Of a moment in the past, however long after it: nothing of it may go by when it is asked.
    for report in ("sla", "tickets"):
        asked = [c.cli("report", report, "--at", "2026-11-01", "--html").stdout for _ in range(2)]
        check(asked[0] == asked[1] and "2026-11-01T23:59:59" in asked[0] and "none" in asked[0], f"{report}: {asked}")
    done = c.cli("--json", "report", "sla", "--to", "2026-10-31")
    check(json.loads(done.stdout)["from"].startswith("2026-10-01T23:59:59"), f"30 days before the end: {done.stdout}")
    done = c.cli("--json", "range", "time()", "--from", "2026-10-01", "--to", "2026-10-01", "--step", "12h")
    times = [at for at, _ in json.loads(done.stdout)["result"][0]["values"]]
    check(times == [1790812800, 1790856000], f"midnight and noon: {times}")


def test_what_is_not_there_and_what_cannot_be_written_is_said(lab):
    c = lab.collector().start()
    done = c.cli("query", "no_such_metric")
    check(done.returncode == 0 and not done.stdout and "no series" in done.stderr, f"{done}")
    check("no agents" in c.cli("agent", "list").stdout and "no entries" in c.cli("audit", "list").stdout, "empty lists")
    done = c.cli("token", "new", "--role", "viewer", "--uses", "4")
    check(done.returncode == 2 and "only a join token" in done.stderr, f"{done}")
    folder = os.path.join(lab.dir, "register.d")
    os.mkdir(folder)
    with open(c.config, "a") as f:
        f.write("register: register.d/\n")
    for row, supplier, doubt in (("{host: web01}", "Contoso", "the register has no supplier 'Contoso' yet: this token sees no host\n"),
                                 ("{host: web01, supplier: Contoso}", "Contoso", ""),
                                 ("{host: web01, supplier: Contoso}", "Contso", "did you mean 'Contoso'?\n")):
        with open(os.path.join(folder, "a.yml"), "w") as f:
            f.write(f"hosts: [{row}]\n")
        c.reload("read anew")
        done = c.cli("token", "new", "--role", "supplier", "--supplier", supplier)
        check(done.returncode == 0 and done.stdout.startswith("fwt1-") and done.stderr.endswith(doubt)
              and (doubt or not done.stderr), f"{row}: {done}")
    with open(os.path.join(folder, "a.yml"), "w") as f:
        f.write("suppliers: [{name: Contoso}]\n")
    c.reload("read anew")
    done = c.cli("token", "new", "--role", "supplier", "--supplier", "Contso")
    check(done.returncode == 2 and "did you mean 'Contoso'?" in done.stderr, f"{done}")
    check(c.cli("token", "new", "--role", "supplier", "--supplier", "Contoso").returncode == 0, "who is listed")
    bad = os.path.join(lab.dir, "bad.yml")
    with open(bad, "w") as f:
        f.write("groups: [{name: a, rules: [{alert: b, expr: 'up =='}]}]\n")
    for argv in (["import", bad], ["rules", "replay", bad, "--from", "-1h", "--to", "-0s"], ["rules", "check", bad]):
        done = c.cli(*argv)
        check(f"{bad}: line 1: " in done.stdout + done.stderr, f"which file and where: {done}")
    with open("/dev/full", "w") as full:
        for argv in (["report", "sla", "--html"], ["--json", "token", "list"]):
            done = subprocess.run([lab.program("cli"), *argv], stdout=full, stderr=subprocess.PIPE, text=True,
                                  env=dict(os.environ, FENWATCH_API=f"http://127.0.0.1:{c.api}", FENWATCH_TOKEN=c.token))
            check(done.returncode == 3 and "cannot write" in done.stderr, f"{argv} into a full disk: {done}")


main()
