"""Who watches the watcher: one line and an exit status for another machine's checks."""
from stage import check, free_port, main, until


def test_a_check_from_elsewhere(lab):
    hook = f"http://127.0.0.1:{free_port()}/"
    c, _ = lab.pair()
    until(20, "it is well", lambda: c.cli("watch").returncode == 0)
    check(c.cli("watch").stdout.startswith("FENWATCH OK - 1 hosts, "), c.cli("watch").stdout)
    with open(c.config, "a") as f:
        f.write(f"feeds: [{{name: desk, type: webhook, url: '{hook}', live: true}}]\n")
    c.stop()
    said = c.cli("watch")
    check(said.returncode == 2 and "does not answer" in said.stdout, f"silence is the worst: {said}")
    c.start()
    until(30, "the desk's silence is noticed",
          lambda: c.cli("feed", "test", "desk") and "feed desk" in c.cli("watch").stdout)
    check(c.cli("watch").returncode == 2, c.cli("watch").stdout)
    c.stop()


def test_nothing_is_well_that_nobody_has_seen(lab):
    c, a = lab.pair()
    until(20, "it is well", lambda: c.cli("watch").returncode == 0)
    a.stop()
    c.stop()
    c.start()
    said = c.cli("watch")
    check(said.returncode == 3 and said.stdout.startswith(
        "FENWATCH UNKNOWN - no agent has been heard since the collector's start; "), f"{said}")
    a.start()
    until(20, "it is well again", lambda: c.cli("watch").returncode == 0)


def test_beats_come_until_alerts_cannot_be_written_down(lab):
    hook = lab.webhook()
    c = lab.collector(extra="feeds: [{name: dead-man, type: heartbeat, form: alertmanager, every: 1s, live: true, "
                            f"url: '{hook.url[:-len('/hook')]}'}}]\n")
    c.start()
    until(20, "it beats", lambda: len(hook.got) >= 2)
    check(hook.got[0][2][0]["labels"]["alertname"] == "Watchdog", f"{hook.got[0]}")
    c.stop()
    c.start(FENWATCH_FAULT="write:28+:ENOSPC")

    def trouble():
        return c.get("/api/fenwatch/v1/feeds")[0]["last_error"]
    until(30, "it says why it does not", trouble)
    count = len(hook.got)
    until(10, "it looks again", lambda: "is not told that all is well" in c.log())
    check(len(hook.got) == count and c.alive(), "it lives, and does not beat")


main()
