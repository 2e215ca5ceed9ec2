"""Full disks: under the spool, under the ring, under SQLite; and SQLite that takes nothing for a while."""
import os
import sqlite3
import subprocess
import time

import wire
from stage import check, main, skip, until


def small_disk(lab, mebibytes):
    mount = os.path.join(lab.dir, f"disk{mebibytes}")
    os.mkdir(mount)
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m", "tmpfs", mount], capture_output=True,
                          text=True)
    if done.returncode:
        skip("mounting a tmpfs needs root: " + done.stderr.strip())
    lab.closers.append(lambda: subprocess.run(["umount", "-l", mount]))
    return mount


def fill(mount):
    with open(mount + "/ballast", "wb", buffering=0) as f:
        try:
            while True:
                f.write(b"x" * 65536)
        except OSError:
            pass
        try:
            while True:
                f.write(b"x")
        except OSError:
            pass


def load_points(c):
    result = c.query("node_load1[10m]")
    return len(result[0]["values"]) if result else 0


def test_a_ring_that_does_not_fit_is_refused_at_start(lab):
    mount = small_disk(lab, 12)
    c = lab.collector(data=os.path.join(mount, "data"))
    c.start(wait=False)
    until(20, "it ends", lambda: not c.alive())
    check(c.child.returncode not in (0, -11, -6), f"with an error: {c.child.returncode}")
    check("space" in c.log().lower(), f"and a sentence: {c.log()}")


def test_ingest_and_alerts_go_on_when_the_collectors_disk_is_full(lab):
    mount, hook = small_disk(lab, 128), lab.webhook()
    c = lab.collector(data=os.path.join(mount, "data"),
                      extra=f"feeds: [{{name: desk, type: webhook, url: \"{hook.url}\", live: true}}]\n"
                            "builtin_rules: {HostSilent: {hold: 0s}}\n")
    c.start()
    a = lab.agent(c).enrol().start()
    until(20, "sweeps", lambda: load_points(c) >= 3)
    fill(mount)
    before = load_points(c)
    until(20, "sweeps on a full disk", lambda: load_points(c) >= before + 5)
    os.unlink(mount + "/ballast")
    until(20, "sweeps after", lambda: load_points(c) >= before + 8)
    c.stop()
    status, text = c.store_check()
    check(status == 0, text)
    c.start()
    check(load_points(c) >= before + 8, "all there after a restart")
    check(a.alive(), "the agent runs")


def test_what_sqlite_does_not_take_now_it_takes_later(lab):
    c = lab.collector().start()
    peer = wire.Peer(c, wire.enrolled(c, "trapper"))
    db = sqlite3.connect(os.path.join(c.data, "state.db"), isolation_level=None, timeout=20)
    filed = lambda: db.execute("SELECT count(*) FROM event").fetchone()[0]
    db.execute("BEGIN IMMEDIATE")
    for number in (1, 2):
        peer.send(wire.EVENT, wire.u(1, number) + wire.b(4, "trap") + wire.u(5, int(time.time() * 1000)))
    check(peer.wait_acked(2), "they are durable in the log")
    c.logged("stay in the log for now")
    check(filed() == 0, "none is filed")
    db.execute("ROLLBACK")
    until(20, "both are filed, without a restart", lambda: filed() == 2)
    c.logged("are filed again")
    peer.close()


def test_an_agent_with_a_full_disk_goes_on_and_never_fills_it(lab):
    mount = small_disk(lab, 16)
    c = lab.collector().start()
    a = lab.agent(c)
    a.data = os.path.join(mount, "agent")
    a.write_config()
    a.enrol().start()
    until(20, "sweeps", lambda: load_points(c) >= 3)
    fill(mount)
    before = load_points(c)
    until(20, "online sweeps need no disk", lambda: load_points(c) >= before + 4)
    c.kill()
    time.sleep(4)
    check(a.alive(), "offline with a full disk it runs on")
    c.start()
    until(30, "sweeps again", lambda: load_points(c) >= before + 6)
    os.unlink(mount + "/ballast")
    now = load_points(c)
    until(20, "and after space has returned", lambda: load_points(c) >= now + 3)


main()
