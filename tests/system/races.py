"""Threads under load: ingest, queries, alerts, reloads and revocation at once.

What is looked for is what ThreadSanitizer says of the collector, so the build
must be made with it (`./dev qualify races` does); with any other the story
only shows that nothing falls over.
"""
import os
import signal
import subprocess
import threading
import time
from urllib.parse import quote

from stage import check, main, until

QUERIES = ["load_fact_0_total", "load_fact_0_total[1m]", '{__name__=~"load_fact_1.*"}', "up"]
SECONDS = int(os.environ.get("FENWATCH_RACE_SECONDS", "5"))


def races(log):
    """The first lines of each of ThreadSanitizer's reports."""
    parts = log.split("WARNING: ThreadSanitizer")[1:]
    return ["\n".join(part.splitlines()[:12]) for part in parts]


def ask_until(stop, collector, answered):
    paths = [f"/api/v1/query?query={quote(q, safe='')}" for q in QUERIES]
    paths += ["/api/fenwatch/v1/hosts", "/api/fenwatch/v1/alerts", "/api/v1/labels", "/api/v1/label/instance/values"]
    while not stop.is_set():
        for path in paths:
            status, _ = collector.request(path)
            answered.append(status)


def load(lab, collector, agents, sweeps):
    program = os.path.join(lab.build, "tests", "bench", "bench_load")
    child = subprocess.Popen([program, f"127.0.0.1:{collector.port}", str(agents), str(sweeps), str(SECONDS)],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    child.stdin.write(collector.join_token("--uses", str(agents)) + "\n")
    child.stdin.close()
    return child


def test_everything_at_once(lab):
    hook = lab.webhook()
    c = lab.collector(store="{raw: 64MiB}", env={"TSAN_OPTIONS": "halt_on_error=0 exitcode=0"},
                      extra=f"feeds: [{{name: desk, type: webhook, url: \"{hook.url}\", live: true}}]\n").start()
    victim = lab.agent(c, name="victim").enrol().start()
    stop, answered = threading.Event(), []
    asking = threading.Thread(target=ask_until, args=(stop, c, answered))
    asking.start()
    child = load(lab, c, 20, 6)
    for _ in range(SECONDS):
        time.sleep(1)
        c.child.send_signal(signal.SIGHUP)
    done = c.cli("agent", "revoke", "victim")
    check(done.returncode == 0, f"revoke: {done}")
    said = child.stdout.read().split()
    child.wait()
    stop.set()
    asking.join()
    check("end" in said, f"the load ends well: {said}")
    check(set(answered) == {200}, f"answers: {set(answered)}")
    victim.stop()
    until(10, "the collector still answers", lambda: c.query("up"))
    check(c.stop(30) == 0, "it leaves with 0")
    found = races(c.log())
    check(not found, f"{len(found)} races:\n" + "\n\n".join(found[:5]))


main()
