"""Full disks: under the spool, under the ring, under SQLite."""
import os
import subprocess
import time

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
    mount, hook = small_disk(lab, 64), lab.webhook()
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
