"""Mistakes in configuration and on the command line: the sentence names file, line and remedy."""
import os
import re
import subprocess
import time

from stage import check, clock_file, main, skip, until

AGENT = "name: a\ndata: DIR/agent\ncollectors: [\"127.0.0.1:7443\"]\n"
COLLECTOR = "data: DIR/collector\nagents: {listen: \"127.0.0.1:0\"}\napi: {listen: \"127.0.0.1:0\"}\n"
WEB = "checks:\n- {name: web, type: http, target: 'https://127.0.0.1/'"

# program, text of the file, what the sentence must hold
MISTAKES = [
    ("agent", AGENT + "interva: 15s\n", ["line 4", "interva", "interval"]),
    ("agent", AGENT + "interval: soon\n", ["line 4", "interval", "soon"]),
    ("agent", AGENT + "interval: 1ms\n", ["line 4", "interval"]),
    ("agent", AGENT + "interval: 15s\ninterval: 20s\n", ["line 5", "interval"]),
    ("agent", AGENT + "batch: many\n", ["line 4", "batch"]),
    ("agent", AGENT + "spool: {max: 32MB, mix: 1}\n", ["line 4", "mix", "max"]),
    ("agent", AGENT + "spool: 5\n", ["line 4", "spool"]),
    ("agent", AGENT + "sources: {cpus: off}\n", ["line 4", "cpus", "cpu"]),
    ("agent", AGENT + "class: mainframe\n", ["line 4", "class", "server"]),
    ("agent", AGENT + "proxy: nonsense\n", ["line 4", "proxy"]),
    ("agent", AGENT + "x: &anchor 1\ny: *anchor\n", ["anchor"]),
    ("agent", AGENT + "x: [1, 2\n", ["line"]),
    ("agent", AGENT + "\tx: 1\n", ["line 4"]),
    ("agent", "name: a\ndata: DIR/agent\ncollectors: [\"nowhere\"]\n", ["line 3", "nowhere"]),
    ("agent", "name: a\ndata: DIR/agent\n", ["collectors"]),
    ("agent", "[" * 40 + "]" * 40, ["deep"]),
    ("check", WEB + ", user_file: /nowhere/secret}\n", ["'web'", "user_file", "/nowhere/secret", "no such file"]),
    ("check", WEB + ", token_file: /nowhere/secret}\n", ["'web'", "token_file", "/nowhere/secret"]),
    ("check", WEB + ", ca: /nowhere/ca.pem}\n", ["'web'", "ca, '/nowhere/ca.pem'"]),
    ("check", "checks: [{name: disk, type: plugin, command: [/nowhere/check]}]\n", ["'disk'", "command", "/nowhere/check"]),
    ("collector", COLLECTOR + "store: {raw: lots}\n", ["line 4", "raw", "lots"]),
    ("collector", COLLECTOR + "store: {raw: 1kB}\n", ["line 4", "raw"]),
    ("collector", COLLECTOR + "feeds: [{name: desk, type: telex}]\n", ["line 4", "telex", "webhook"]),
    ("collector", COLLECTOR + "feeds: [{name: desk, type: webhook}]\n", ["line 4", "url"]),
    ("collector", COLLECTOR + "feeds: [{name: desk, type: webhook, url: \"ftp://x\"}]\n", ["line 4", "url"]),
    ("collector", COLLECTOR + "builtin_rules: {HostSilnt: {hold: 1m}}\n", ["line 4", "HostSilnt", "HostSilent"]),
    ("collector", COLLECTOR + "remote_write: {url: \"http://x\"}\n", ["line 4", "list", "url"]),
    ("collector", COLLECTOR + "remote_write: [{url: x.example}]\n", ["line 4", "x.example", "https://"]),
    ("collector", COLLECTOR + "remote_write: [{url: \"http://x\", tls: {ca: a.pem}}]\n", ["line 4", "tls", "https://"]),
    ("collector", COLLECTOR + "remote_write: [{url: \"https://x\", tls: {cert: a.pem}}]\n", ["line 4", "cert", "key"]),
    ("collector", COLLECTOR + "remote_write: [{url: \"https://x\", user: me}]\n", ["line 4", "password_file"]),
    ("collector", COLLECTOR + "remote_write: [{url: \"https://x\", user: me, password_file: p, token_file: t}]\n",
     ["line 4", "token_file", "not both"]),
    ("collector", COLLECTOR + "remote_write: [{url: \"https://x\", match: [up, \"{a=~'('}\"]}]\n", ["line 4", "match", "("]),
    ("collector", COLLECTOR + "remote_write: [{url: \"https://x\"}, {url: \"https://x\"}]\n", ["line 4", "two receivers"]),
    ("collector", COLLECTOR + "store: {foreign_series: 0}\n", ["line 4", "foreign_series", "1"]),
    ("collector", COLLECTOR + "ap: 1\n", ["line 4", "ap", "api"]),
    ("collector", "data: DIR/c\napi: {listen: \"0.0.0.0:7480\"}\n", ["line 2", "tls"]),
    ("collector", "data: DIR/c\napi: {listen: \"0.0.0.0:7480\", auth: none}\n", ["line 2"]),
    ("collector", "data: DIR/c\napi: {listen: \"0.0.0.0:7480\", tls: {cert: /nonexistent/bad.yml, key: /dev/null}}\n",
     ["cannot open", "/nonexistent"]),
]


def run(lab, program, *argv, env=None):
    return subprocess.run([lab.program(program), *argv], capture_output=True, text=True, timeout=180,
                          env=dict(os.environ, **(env or {})))


def test_each_mistake_is_told_with_file_line_and_remedy(lab):
    path = os.path.join(lab.dir, "bad.yml")
    wrong = []
    for program, text, expected in MISTAKES:
        with open(path, "w") as f:
            f.write(text.replace("DIR", lab.dir))
        done = run(lab, program, "--config", path, "--check-config")
        said = done.stdout + done.stderr
        missing = [e for e in expected + ["bad.yml"] if e not in said]
        if done.returncode == 0 or missing or "Sanitizer" in said:
            wrong.append(f"{program} {text.splitlines()[-1]!r}: exit {done.returncode}, lacks {missing}: {said.strip()}")
    check(not wrong, "\n".join(wrong))


def test_good_configurations_pass(lab):
    path = os.path.join(lab.dir, "good.yml")
    for program, text in (("agent", AGENT), ("collector", COLLECTOR), ("check", WEB + ", ca: /etc/passwd}\n")):
        with open(path, "w") as f:
            f.write(text.replace("DIR", lab.dir))
        done = run(lab, program, "--config", path, "--check-config")
        check(done.returncode == 0, f"{program}: {done}")


def test_what_is_doubtful_is_said_and_is_no_mistake(lab):
    feed = "feeds: [{name: desk, type: webhook, url: \"http://127.0.0.1:9\", match: {%s}}, "\
        "{name: rest, type: webhook, url: \"http://127.0.0.1:9\", otherwise: true}]\nrules: [rules.yml]\n"
    with open(os.path.join(lab.dir, "rules.yml"), "w") as f:
        f.write("groups: [{name: a, rules: [{alert: Own, expr: up == 7, labels: {tier: gold}}]}]\n")
    c = lab.collector(extra=feed % "alertname: Onw")
    says = lambda what: f"feed 'desk', 'match': {what}\n"
    doubt = says("there is no rule 'Onw'; did you mean 'Own'?")
    done = run(lab, "collector", "--config", c.config, "--check-config")
    check(done.returncode == 0 and done.stderr == f"fenwatch-collector: warning: {doubt}", f"{done}")
    c.start()
    check(f"warning: {doubt}" in c.log(), "the start says it too")
    c.reconfigure("alertname: Onw", "priority: P0")
    c.reload("read anew")
    check(says("there is no priority 'P0'; did you mean 'P1'?") in c.log(), "and a reload")
    c.reconfigure("priority: P0", "alertname: Own, tier: silver")  # a label of a rule's: who knows which values
    before = len(c.log())
    c.reload("read anew")
    check("'match'" not in c.log()[before:], c.log()[before:])


def test_every_program_has_help_and_a_version(lab):
    for program in ("agent", "collector", "cli"):
        for option in ("--help", "--version"):
            done = run(lab, program, option)
            check(done.returncode == 0 and done.stdout.strip(), f"{program} {option}: {done}")
        done = run(lab, program, "--no-such-option")
        check(done.returncode == 2 and done.stderr.strip(), f"{program} with a wrong option: {done}")


def test_a_file_that_is_missing_is_named(lab):
    for program in ("agent", "collector"):
        done = run(lab, program, "--config", "/nonexistent/file.yml", "--check-config")
        check(done.returncode != 0 and "/nonexistent/file.yml" in done.stderr, f"{program}: {done}")


def test_words_that_are_no_command_are_told_before_a_file_is_read(lab):
    for words, said in (("store frob", "no command 'store frob'"), ("frob", "no command 'frob'"),
                        ("store check extra", "'store check' takes nothing more"),
                        ("store restore", "'store restore' takes one SNAPSHOT"),
                        ("store restore a b", "'store restore' takes one SNAPSHOT"),
                        ("rules check", "'rules check' takes one FILE or more")):
        done = run(lab, "collector", *words.split(), "--config", "/nonexistent/file.yml")
        check(done.returncode == 2 and said in done.stderr and "nonexistent" not in done.stderr, f"{words}: {done}")
    c = lab.collector()
    for word in ("check", "stat"):
        done = run(lab, "collector", "store", word, "--config", c.config)
        check(done.returncode == 1 and f"there is no store in {c.data}/store" in done.stderr, f"{word}: {done}")


def test_a_second_collector_on_the_same_data_is_refused(lab):
    c = lab.collector().start()
    second = lab.collector(name="second", data=c.data)
    second.start(wait=False)
    second.child.wait(60)
    check(second.child.returncode != 0 and c.data in second.log(), f"{second.log()}")


def enrol(lab, config, token, *more):
    return subprocess.run([lab.program("agent"), "enrol", "--config", config, *more], input=token + "\n",
                          capture_output=True, text=True, timeout=60)


def test_enrolling_says_what_is_wrong_and_uses_no_token_up(lab):
    c, stranger = lab.collector().start(), lab.collector(name="stranger").start()
    a = lab.agent(c)
    token = c.join_token()
    mistakes = [
        ("", [], ["not a join token"]),
        (c.token, [], ["not a join token", "fenwatch token new --join"]),
        (token[:-4], [], ["refused by the collector"]),
        (stranger.join_token(), [], ["fingerprint", "another collector"]),
        (c.join_token("--serials", "ABC"), [], ["refused by the collector", "serial"]),
        (c.join_token("--networks", "192.0.2.0/24"), [], ["refused by the collector", "network"]),
        (token, ["--collector", "https://localhost"], ["HOST:PORT"]),
        (token, ["--collector", "127.0.0.1:1"], ["127.0.0.1:1", "refused"]),
        (token, ["--collector", f"127.0.0.1:{c.api}"], ["TLS"]),
        (token, ["--token-file", "/nonexistent"], ["/nonexistent"]),
    ]
    for text, more, words in mistakes:
        done = enrol(lab, a.config, text, *more)
        check(done.returncode == 1 and len(done.stderr.splitlines()) == 1 and all(w in done.stderr for w in words),
              f"{more} wants {words}: {done}")
    check(enrol(lab, a.config, token).returncode == 0, "after all that the token is good")


def test_a_clock_that_is_wrong_is_named_with_what_it_says(lab):
    c = lab.collector().start()
    a = lab.agent(c)
    for days, words in ((-400, "not yet valid"), (4000, "expired")):
        a.env = {"FENWATCH_CLOCK_FILE": clock_file(lab, days * 86400_000)}
        done = subprocess.run([lab.program("agent"), "enrol", "--config", a.config], input=c.join_token() + "\n",
                              capture_output=True, text=True, timeout=60, env=dict(os.environ, **a.env))
        year = str(time.gmtime(time.time() + days * 86400).tm_year)
        check(done.returncode == 1 and words in done.stderr and f"clock it is {year}-" in done.stderr, f"{done}")


def test_a_clock_that_is_ahead_makes_no_storm_of_renewals(lab):
    c = lab.collector().start()
    renewals = lambda name: len(re.findall(rf"{name} .*renewed its certificate", c.log()))
    year = lab.agent(c, name="year", env={"FENWATCH_CLOCK_FILE": clock_file(lab, 366 * 86400_000)})
    done = subprocess.run([lab.program("agent"), "enrol", "--config", year.config], input=c.join_token() + "\n",
                          capture_output=True, text=True, timeout=60, env=dict(os.environ, **year.env))
    check(done.returncode == 0 and "set it right" in done.stderr, f"{done}")
    # An unscaled pause: the second renewal would come within a second if nothing held it.
    year.start(FENWATCH_BACKOFF_SCALE="1").logged("set it right")
    days = lab.agent(c, name="days", env={"FENWATCH_CLOCK_FILE": clock_file(lab, 5 * 86400_000)}).enrol().start()
    until(30, "sweeps of the one that is days ahead", lambda: c.get("/api/fenwatch/v1/store")["ahead"] > 5)
    check(renewals("year") == 1 and renewals("days") <= 1, c.log()[-2000:])
    check(year.alive() and days.alive(), "both go on")


def test_an_agent_that_runs_is_not_enrolled_anew_beside_itself(lab):
    c, a = lab.pair()
    token = c.join_token()
    done = enrol(lab, a.config, token)
    check(done.returncode == 1 and "stop it first" in done.stderr, f"{done}")
    a.stop()
    check(enrol(lab, a.config, token).returncode == 0, "stopped, and with the same token, it is")


def test_what_is_printed_into_a_full_disk_is_no_success(lab):
    with open("/dev/full", "w") as full:
        done = subprocess.run([lab.program("agent"), "--print"], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
    check(done.returncode == 1 and "cannot be written" in done.stderr, f"{done}")


def owners(folder):
    """The users that what lies there belongs to, the folder itself among it."""
    paths = [folder] + [os.path.join(at, name) for at, folders, files in os.walk(folder) for name in folders + files]
    return {os.lstat(path).st_uid for path in paths}


def test_what_root_starts_by_hand_leaves_nothing_that_the_service_cannot_read(lab):
    if os.geteuid() != 0:
        skip("only root can leave what is root's")
    service = 65534
    os.chmod(lab.dir, 0o755)
    # A process that has changed its user cannot be looked into.
    env = {"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"}
    c = lab.collector(env=env)
    for data in (c.data, os.path.join(lab.dir, "agent")):
        os.mkdir(data, 0o700)
        os.chown(data, service, service)
    check(run(lab, "collector", "store", "stat", "--config", c.config, env=env).returncode == 1, "there is no store yet")
    check(owners(c.data) == {service}, f"a look at a store that is not there: {owners(c.data)}")
    c.start()
    a = lab.agent(c, env=env).enrol().start()
    until(30, "it speaks", lambda: c.query("node_load1"))
    check(a.stop() == 0 and c.stop() == 0, "both leave with 0")
    for program, words, config in (("collector", ["store", "check"], c.config), ("agent", ["spool", "stat"], a.config)):
        done = run(lab, program, *words, "--config", config, env=env)
        check(done.returncode == 0, f"{words}: {done}")
    for data in (c.data, a.data):
        check(owners(data) == {service}, f"{data}: {owners(data)}")


main()
