"""A filesystem that fills and one that only goes up and down, over four weeks, and who is told of what."""
import json
import re
import threading
import time

import wire
from stage import check, main, until

DAY_MS = 86400_000
STEP_MS = 300_000
SIZE = 1_000_000_000
MOUNTS = ("/srv", "/var/log")
NAMES = ("node_filesystem_size_bytes", "node_filesystem_avail_bytes", "node_filesystem_files",
         "node_filesystem_files_free")
SCHEMA = wire.Schema([(name, {"device": "/dev/sd" + "ab"[i], "fstype": "ext4", "mountpoint": mount})
                      for name in NAMES for i, mount in enumerate(MOUNTS)])
BATCH = 60


def growing(days_ago):
    return 0.90 - 0.02 * days_ago  # full in five days


def saw(days_ago):
    return 0.55 + 0.43 * (1 - (days_ago + 2.6) % 3 / 3)


def cells(days_ago):
    used = (growing(days_ago), saw(days_ago))
    return [SIZE, SIZE] + [round(SIZE * (1 - u)) for u in used] + [SIZE, SIZE, SIZE // 2, SIZE // 2]


class Filer:
    """A host whose history is sent after the fact, and who then goes on speaking."""

    def __init__(self, collector, now_ms):
        self.identity, self.now_ms, self.seq = wire.enrolled(collector, "filer"), now_ms, 0
        self.peer, self.stopped = None, threading.Event()

    def connect(self, collector):
        self.peer = wire.Peer(collector, self.identity, next_live=self.seq + 1)
        self.peer.send(wire.SCHEMA, SCHEMA.message(1))

    def send(self, t0_ms, sweeps):
        self.seq += 1
        self.peer.send(wire.BATCH, wire.batch(self.seq, 1, t0_ms, STEP_MS, sweeps))

    def tell_history(self, days):
        times = range(self.now_ms - days * DAY_MS, self.now_ms - STEP_MS, STEP_MS)
        for at in range(0, len(times), BATCH):
            part = times[at:at + BATCH]
            self.send(part[0], [cells((self.now_ms - t) / DAY_MS) for t in part])
            check(self.peer.wait_acked(self.seq), f"batch {self.seq} is acknowledged")

    def speak(self):
        while not self.stopped.wait(1):
            self.send(int(time.time() * 1000), [cells(0)])
            self.peer.wait_acked(self.seq, 5)


def test_growth_is_told_a_week_ahead_and_a_saw_never(lab):
    hook = lab.webhook()
    c = lab.collector(store="{raw: 16MiB, any_age: true}",
                      extra=f"feeds: [{{name: desk, type: webhook, url: \"{hook.url}\", live: true}}]\n"
                            "builtin_rules: {FilesystemFullSoon: {hold: 0s}, FilesystemInodesGoneSoon: {hold: 0s}}\n")
    c.start()
    filer = Filer(c, int(time.time() * 1000))
    filer.connect(c)
    filer.tell_history(28)
    # Hosts are gone through at the start, and then every hour.
    c.stop()
    c.start()
    filer.connect(c)
    speaker = threading.Thread(target=filer.speak, daemon=True)
    speaker.start()
    try:
        check_what_is_told(c, hook)
    finally:
        filer.stopped.set()
        speaker.join()


def check_that_the_past_stays(c):
    """To the byte, whatever is measured afterwards; and before there was a forecast there is none."""
    at = f"{time.time():.3f}"
    time.sleep(1)  # what was measured before that has come
    forms = ("--json", "--csv", "--html", None)
    ask = lambda form: c.cli("report", "capacity", "--at", at, *[form] * bool(form)).stdout
    once = [ask(form) for form in forms]
    check(all("/srv" in text for text in once), f"{once}")
    seen = c.value("count_over_time(node_filesystem_avail_bytes{mountpoint='/srv'}[1h])")
    until(30, "time goes on", lambda: c.value("count_over_time(node_filesystem_avail_bytes{mountpoint='/srv'}[1h])") > seen + 1)
    check([ask(form) for form in forms] == once, "the same bytes")
    check(json.loads(c.cli("report", "capacity", "--at", "-3d", "--json").stdout) == [], "nothing was forecast then")
    refused = c.cli("report", "capacity", "--at", "2100-01-01T00:00:00Z")
    check(refused.returncode != 0 and "has not been yet" in refused.stderr, refused.stderr)


def check_what_is_told(c, hook):
    opened = until(60, "the notice", lambda: hook.notices("firing", "FilesystemFullSoon"))
    alert = opened[0][2]["alerts"][0]
    check(alert["labels"]["mountpoint"] == "/srv", f"what grows: {alert}")
    check(re.search(r"filer: /srv fills in about [456] days", alert["annotations"]["summary"]), f"{alert}")

    disks = {disk["mountpoint"]: disk for disk in c.get("/api/fenwatch/v1/disks", host="filer")}
    fills = disks["/srv"]["fills"]
    check(fills["earliest"] <= fills["likely"] <= fills["latest"], f"in order: {fills}")
    check(fills["samples"] > 300 and fills["span_s"] == 21 * 86400, f"what it rests on: {fills}")
    check(disks["/var/log"]["fills"] is None and disks["/srv"]["inodes_gone"] is None, f"nothing else: {disks}")

    shown = c.cli("disks", "filer")
    check(re.search(r"/srv fills in \d+ to \d+ days, most likely [456], from \d+ samples over 21 days", shown.stdout),
          shown.stdout + shown.stderr)
    report = c.cli("report", "capacity", "--json")
    rows = json.loads(report.stdout)
    check([(row["host"], row["mountpoint"], row["resource"]) for row in rows] == [("filer", "/srv", "bytes")],
          report.stdout + report.stderr)
    check("/srv" in c.cli("report", "capacity").stdout, "and as a table")
    check_that_the_past_stays(c)

    likely = c.value('fenwatch_filesystem_fills_timestamp_seconds{instance="filer",bound="likely"}')
    check(abs(likely - time.time() - 5 * 86400) < 86400, f"the series: {likely}")
    told = hook.notices("firing", "FilesystemFullSoon") + hook.notices("firing", "FilesystemInodesGoneSoon")
    check(len(told) == 1, f"one notice, and none of the saw: {told}")


if __name__ == "__main__":
    main()
