#!/usr/bin/env python3
"""The long forms of what ./dev test does in short, and a dated report of them.

usage: qualify.py SANITIZE-BUILD RACE-BUILD RELEASE-BUILD FUZZ-BUILD [NAME...]

Each row is one program with its own number of rounds (FENWATCH_KILLS and
FENWATCH_CUTS change it); NAME chooses rows. The report goes to docs/qualify/DATE.md and is meant to be committed.
"""
import datetime
import os
import platform
import re
import subprocess
import sys
import time

EVERY_FAULT = {"FENWATCH_FAULT_STRIDE": "1", "CMOCKA_MESSAGE_OUTPUT": "TAP"}

ROWS = [
    ("kills", "kill -9 of agent, collector and both at random moments",
     ["tests/system/kill.py", "SANITIZE", "kill 9"], {"FENWATCH_KILLS": "1000"}),
    ("powercuts", "power cuts of the collector's disk, and the control without fdatasync",
     ["tests/system/powercut.py", "SANITIZE"], {"FENWATCH_CUTS": "1000"}),
    ("wire", "hostile bytes on the agents' port, a million series and a million malformed frames",
     ["tests/system/wirefaults.py", "SANITIZE"],
     {"FENWATCH_ROGUE_SERIES": "1000000", "FENWATCH_ROGUE_FRAMES": "1000000"}),
    ("trust", "certificates, tokens, revocation, clones, proxies", ["tests/system/trust.py", "SANITIZE"], {}),
    ("identity", "everybody who is not who they say", ["tests/system/identity.py", "SANITIZE"], {}),
    ("guesses", "a million guesses at a token", ["tests/system/identity.py", "RELEASE", "nobody guesses"],
     {"FENWATCH_GUESSES": "1000000"}),
    ("rollover", "a new certificate authority with 1,000 agents connected", ["tests/system/rollover.py", "SANITIZE"],
     {"FENWATCH_ROLLOVER": "1000"}),
    ("moved", "1,000 agents that move to another collector and back with faults open",
     ["tests/system/moved.py", "RELEASE"], {"FENWATCH_MOVED": "1000"}),
    ("crowd", "19,500 hosts, each with its agent, that fall silent at once",
     ["tests/system/crowd.py", "RELEASE"], {"FENWATCH_CROWD": "19500"}),
    ("network", "ten networks that fail for two minutes, and a minute without names",
     ["tests/system/network.py", "SANITIZE"], {"FENWATCH_HARM_SECONDS": "120", "FENWATCH_HOLE_SECONDS": "60"}),
    ("away", "a day without a collector", ["tests/system/away.py", "SANITIZE"], {}),
    ("storm2000", "ten storms of 2,000 agents, and 2,000 clients without a pause",
     ["tests/system/storm.py", "RELEASE"],
     {"FENWATCH_FLEET": "2000", "FENWATCH_STORMS": "10", "FENWATCH_HOSTILE": "2000"}),
    ("storm", "ten storms of 19,500 agents, and 5,000 clients without a pause",
     ["tests/system/storm.py", "RELEASE"],
     {"FENWATCH_FLEET": "19500", "FENWATCH_STORMS": "10", "FENWATCH_HOSTILE": "5000"}),
    ("deliveries", "10,000 alerts through every feed, the collector killed at 150 writes of its state, bad receivers",
     ["tests/system/deliveries.py", "SANITIZE"],
     {"FENWATCH_ALERTS": "10000", "FENWATCH_KILLS": "150"}),
    ("slow", "5,000 silent and slow connections, ten minutes of each kind",
     ["tests/system/slow.py", "RELEASE"], {"FENWATCH_SLOW": "5000", "FENWATCH_SLOW_SECONDS": "600"}),
    ("traps", "1,000 informs a second for a minute, each answered once it is on disk",
     ["tests/system/traps.py", "SANITIZE", "thousand"], {"FENWATCH_TRAP_SECONDS": "60"}),
    ("units", "a machine that boots: each unit at work, killed, read anew and stopped",
     ["tests/system/booted.py", "RELEASE"], {}),
    ("history", "machines set back, copies restored, clocks stepped", ["tests/system/history.py", "SANITIZE"], {}),
    ("races", "threads of the collector under load, by ThreadSanitizer",
     ["tests/system/races.py", "RACE"], {"FENWATCH_RACE_SECONDS": "60"}),
    ("oldkernels", "the static agent under the oldest kernels of Debian's archive",
     ["tests/system/oldkernels.py", "SANITIZE"], {}),
    ("hung", "five filesystems that never answer, for an hour", ["tests/system/hung.py", "SANITIZE"],
     {"FENWATCH_HUNG_SECONDS": "3600"}),
    ("full", "full disks", ["tests/system/full.py", "SANITIZE"], {}),
    ("spool", "every operation and allocation of the spool fails", ["SANITIZE/agent/test_spool"], EVERY_FAULT),
    ("store", "every operation and allocation of the store fails", ["SANITIZE/collector/store/test_faults"],
     EVERY_FAULT),
    ("promql", "20,000 random questions, to a real Prometheus and to the collector",
     ["tests/system/promql.py", "SANITIZE", "random"], {"FENWATCH_QUESTIONS": "20000"}),
    ("remote_write", "remote_write from here to Prometheus and VictoriaMetrics, all three ended at random",
     ["tests/system/remote_write.py", "SANITIZE"], {"FENWATCH_REMOTE_SECONDS": "3600"}),
    ("ring", "kills of a store whose ring turns over", ["SANITIZE/collector/store/test_kill"],
     {"FENWATCH_KILLS": "1000", "CMOCKA_MESSAGE_OUTPUT": "TAP"}),
    ("cuts", "torn, lost and reordered writes of the store", ["SANITIZE/collector/store/test_crash"],
     {"FENWATCH_CUTS": "1000", "TMPDIR": "/dev/shm", "CMOCKA_MESSAGE_OUTPUT": "TAP"}),
    ("damage", "10,000 flipped bits of each kind, and a log cut at every byte",
     ["SANITIZE/collector/store/test_damage"],
     {"FENWATCH_DAMAGE": "10000", "TMPDIR": "/dev/shm", "CMOCKA_MESSAGE_OUTPUT": "TAP"}),
    ("fuzzpacket", "ten million packets from nowhere, of every link",
     ["FUZZ/agent/capture/fuzz_packet", "-runs=10000000", "SCRATCH", "tests/fuzz/corpus/packet"], {}),
    ("fuzzwatch", "ten million streams of packets from nowhere, into the capture's tables",
     ["FUZZ/agent/capture/fuzz_watch", "-runs=10000000", "SCRATCH", "tests/fuzz/corpus/watch"], {}),
    ("fuzztrap", "ten million traps from nowhere",
     ["FUZZ/agent/snmp/fuzz_trap", "-runs=10000000", "SCRATCH", "tests/fuzz/corpus/trap"], {}),
    ("fuzzwalk", "ten million answers from nowhere to walks of devices",
     ["FUZZ/agent/snmp/fuzz_walk", "-runs=10000000", "SCRATCH", "tests/fuzz/corpus/walk"], {}),
    ("fuzzinform", "a million answers from nowhere to notifications of SNMP",
     ["FUZZ/collector/feeds/fuzz_inform", "-runs=1000000", "SCRATCH", "tests/fuzz/corpus/inform"], {}),
    ("fuzzblocks", "ten million blocks from nowhere",
     ["FUZZ/collector/store/fuzz_columns", "-runs=10000000", "SCRATCH", "tests/fuzz/corpus/columns"], {}),
    ("fuzzgroups", "ten million blocks in groups from nowhere, with their checksums right",
     ["FUZZ/collector/store/fuzz_groups", "-runs=10000000", "SCRATCH", "tests/fuzz/corpus/groups"], {}),
    ("fuzzstore", "ten million blocks and log records from nowhere, with their checksums right",
     ["FUZZ/collector/store/fuzz_store", "-runs=10000000", "SCRATCH", "tests/fuzz/corpus/store"], {}),
    ("fuzzdisk", "ten million stores of which every segment is from nowhere, opened and replayed",
     ["FUZZ/collector/store/fuzz_disk", "-runs=10000000", "-entropic=0", "SCRATCH", "tests/fuzz/corpus/disk"],
     {"ASAN_OPTIONS": "malloc_context_size=2"}),
    ("fuzzrows", "ten million rows from nowhere",
     ["FUZZ/collector/store/fuzz_rows", "-runs=10000000", "SCRATCH", "tests/fuzz/corpus/rows"], {}),
    ("state", "every operation and allocation of the state fails", ["SANITIZE/collector/state/test_state"],
     EVERY_FAULT),
    ("outbox", "every operation and allocation of the outbox fails", ["SANITIZE/collector/alert/test_faults"],
     EVERY_FAULT),
]


def run(script, builds, env):
    argv = [re.sub("^(SANITIZE|RACE|RELEASE|FUZZ|SCRATCH)", lambda build: builds[build.group()], word) for word in script]
    if argv[0].endswith(".py"):
        argv.insert(0, sys.executable)
    os.makedirs(builds["SCRATCH"], exist_ok=True)
    start = time.time()
    done = subprocess.run(argv, env={**env, **os.environ}, capture_output=True, text=True, errors="replace")
    return done.returncode, done.stdout + done.stderr, time.time() - start


def judge(status, text):
    """(how many passed, failed, what the program tells of itself)"""
    skipped = re.findall(r"^ok .*# SKIP (.*)$", text, re.M)
    good = len(re.findall(r"^ok (?!.*# SKIP)", text, re.M))
    bad = len(re.findall(r"^not ok ", text, re.M)) or (1 if status else 0)
    if not good and not bad and not skipped:
        good = 1  # a program without cases of its own
    figures = re.findall(r"^(?:# (?=\d+(?:\.\d+)? )|Done )(.*)$", text, re.M)[:4] + [f"skipped: {why}" for why in skipped]
    return good, bad, "; ".join(figures).replace("|", "/")


class Report:
    """The day's report, written anew after every row: a run that is stopped has told what it
    did, and a run of some rows leaves the others' as they are."""

    HEAD = ["| what | passed | failed | minutes | version | figures |", "| --- | --- | --- | --- | --- | --- |"]

    def __init__(self):
        self.day = datetime.date.today().isoformat()
        self.path = f"docs/qualify/{self.day}.md"
        self.version = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True,
                                      text=True).stdout.strip()

    def lines(self):
        """The rows that are there, by what they are about."""
        if not os.path.exists(self.path):
            return {}
        with open(self.path) as f:
            rows = [line.strip() for line in f if line.startswith("| ") and line.strip() not in self.HEAD]
        return {row.split(" | ")[0][2:]: row for row in rows}

    def add(self, what, good, bad, seconds, figures):
        lines = self.lines()
        lines[what] = f"| {what} | {good} | {bad} | {seconds / 60:.1f} | {self.version} | {figures} |"
        order = [what for _, what, _, _ in ROWS]
        text = [f"# Qualification of {self.day}", "",
                f"Kernel {platform.release()}, {os.cpu_count()} cores. Command: `./dev qualify [NAME...]`; a row that "
                "ran more than once that day is there as it ran last.", "", *self.HEAD,
                *(lines[what] for what in order if what in lines)]
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        with open(self.path, "w") as f:
            f.write("\n".join(text) + "\n")


def main():
    builds = {"SANITIZE": sys.argv[1], "RACE": sys.argv[2], "RELEASE": sys.argv[3], "FUZZ": sys.argv[4],
              "SCRATCH": os.path.join(sys.argv[4], "found")}
    wanted = sys.argv[5:]
    unknown = [w for w in wanted if w not in [r[0] for r in ROWS]]
    if unknown:
        print(f"qualify: no such row: {' '.join(unknown)}; there are {' '.join(r[0] for r in ROWS)}")
        sys.exit(2)
    report = Report()
    failed = passed = 0
    for name, what, script, env in ROWS:
        if wanted and name not in wanted:
            continue
        print(f"qualify: {what}", flush=True)
        status, text, seconds = run(script, builds, env)
        good, bad, figures = judge(status, text)
        passed, failed = passed + good, failed + bad
        report.add(what, good, bad, seconds, figures)
        if bad:
            print(text[-8000:], flush=True)
    print(f"report: {report.path}\n{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
