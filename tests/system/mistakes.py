"""Mistakes in configuration and on the command line: the sentence names file, line and remedy."""
import os
import subprocess

from stage import check, main

AGENT = "name: a\ndata: DIR/agent\ncollectors: [\"127.0.0.1:7443\"]\n"
COLLECTOR = "data: DIR/collector\nagents: {listen: \"127.0.0.1:0\"}\napi: {listen: \"127.0.0.1:0\"}\n"

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
]


def run(lab, program, *argv):
    return subprocess.run([lab.program(program), *argv], capture_output=True, text=True, timeout=30)


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
    for program, text in (("agent", AGENT), ("collector", COLLECTOR)):
        with open(path, "w") as f:
            f.write(text.replace("DIR", lab.dir))
        done = run(lab, program, "--config", path, "--check-config")
        check(done.returncode == 0, f"{program}: {done}")


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


def test_a_second_collector_on_the_same_data_is_refused(lab):
    c = lab.collector().start()
    second = lab.collector(name="second", data=c.data)
    second.start(wait=False)
    second.child.wait(20)
    check(second.child.returncode != 0 and c.data in second.log(), f"{second.log()}")


main()
