"""The patch clock, from a recorded machine's lists to reports, alerts and what a person reads."""
import bz2
import gzip
import lzma
import glob
import os
import re
import shutil
import time
from datetime import datetime, timedelta, timezone

from stage import check, clock_file, main, set_clock, until

TREE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "machines", "server-2024")
DAY_MS = 86400_000
RULES = """builtin_rules:
  PatchOverdue: {hold: 0s}
  PatchSourceUnproven: {hold: 0s}
  OperatingSystemUnsupported: {hold: 0s}
"""


def fetch_lists(root, shift_ms=0):
    """As if apt had looked for new lists at that moment; a recorded tree has its times in a file."""
    path = os.path.join(root, "recorded/mtimes")
    with open(path) as f:
        lines = [line for line in f if not line.startswith("var/lib/apt/")]
    with open(path + ".new", "w") as f:
        f.write("".join(lines) + f"var/lib/apt/lists {time.time() + shift_ms / 1000:.0f}\n")
    os.rename(path + ".new", path)
    made = datetime.fromtimestamp(time.time() + shift_ms / 1000 - 3600, timezone.utc)
    for release in glob.glob(os.path.join(root, "var/lib/apt/lists/*InRelease")):
        with open(release) as f:
            text = f.read()
        with open(release, "w") as f:
            f.write(re.sub("^Date: .*", f"Date: {made:%a, %d %b %Y %H:%M:%S} UTC", text, flags=re.M))


def stage_host(lab, name="agent", shift=None, collector=None, os_release=None):
    root = os.path.join(lab.dir, "root-" + name)
    shutil.copytree(TREE, root, symlinks=True)
    if os_release:
        with open(os.path.join(root, "etc/os-release"), "w") as f:
            f.write(os_release)
    fetch_lists(root)
    env = {"FENWATCH_CLOCK_FILE": shift} if shift else {}
    c = collector or lab.collector(extra=RULES, env=env).start()
    a = lab.agent(c, name=name, extra=f"root: {root}\nsources: {{packages: {{every: 10s}}}}\n", env=env)
    return c, a.enrol().start(), root


def row(c, name="agent"):
    return {host["host"]: host for host in c.get("/api/fenwatch/v1/patches")}.get(name, {})


def alert(c, rule, name="agent"):
    found = c.alerts(rule=rule, host=name)
    return found[0]["annotations"]["summary"] if found and found[0]["state"] == "firing" else None


def packed_ones(c, path):
    """They are read as they are; a name that lies about its contents is told."""
    with open(path, "rb") as f:
        plain = f.read()
    for ending, pack in (("gz", gzip.compress), ("bz2", bz2.compress), ("xz", lzma.compress)):
        with open(f"{path}.{ending}", "wb") as f:
            f.write(pack(plain))
        done = c.cli("advisories", "import", f"{path}.{ending}")
        check(done.returncode == 0 and "imported 1 advisories" in done.stdout, f"{done}")
    with open(f"{path}.zst", "wb") as f:
        f.write(plain)
    done = c.cli("advisories", "import", f"{path}.zst")
    check(done.returncode == 2 and "not packed as its name says" in done.stderr, f"{done}")


def advisories(lab, text):
    path = os.path.join(lab.dir, "DSA-list")
    with open(path, "w") as f:
        f.write(text)
    return path


def days_ago(days):
    return (datetime.now(timezone.utc) - timedelta(days=days)).strftime("%d %b %Y")


def test_an_advisory_makes_a_fix_overdue(lab):
    c, a, root = stage_host(lab)
    until(60, "it is judged", lambda: row(c).get("state") == "compliant")
    check(row(c)["pending"] > 5 and row(c)["os"] == "Debian 12", f"{row(c)}")
    until(60, "its series", lambda: c.value('fenwatch_patch_overdue{policy="ce14"}') == 0)
    today = c.cli("report", "patch-compliance", "--at", f"{datetime.now(timezone.utc):%Y-%m-%d}", "--csv")
    check(today.returncode == 0 and '"agent","ce14","compliant"' in today.stdout, f"today as far as it has come: {today}")
    check(c.value("fenwatch_patch_proven") == 1 and c.value("fenwatch_os_supported") == 1, "proven")
    path = advisories(lab, f"[{days_ago(20)}] DSA-1-1 openssl - security update\n"
                           "\t[bookworm] - openssl 3.0.13-1~deb12u1\n")
    done = c.cli("advisories", "import", path)
    check(done.returncode == 0 and "imported 1 advisories" in done.stdout, f"{done}")
    check("DSA-1-1" in c.cli("advisories", "list", "--package", "openssl").stdout, "it is listed")
    packed_ones(c, path)
    until(30, "it is overdue", lambda: row(c)["state"] == "overdue" and row(c)["overdue"]["ce14"] == 1)
    summary = until(90, "the alert", lambda: alert(c, "PatchOverdue"))
    check("openssl (DSA-1-1)" in summary, summary)
    shown = c.cli("patches", "agent")
    check(shown.returncode == 1 and "openssl:amd64" in shown.stdout and "(advisory)" in shown.stdout, f"{shown}")
    check(max(map(len, shown.stdout.splitlines())) <= 60, shown.stdout)
    check("overdue" in c.cli("patches").stdout, "in the list of all")
    until(60, "the series says so", lambda: c.value('fenwatch_patch_overdue{policy="ce14"}') == 1)
    bad = c.cli("advisories", "import", c.config)
    check(bad.returncode == 2 and "none of" in bad.stderr, f"{bad}")


def test_old_lists_and_silence_prove_nothing(lab):
    shift = clock_file(lab)
    c, a, root = stage_host(lab, shift=shift)
    until(60, "it is judged", lambda: row(c).get("state") == "compliant")
    began = time.time()
    set_clock(shift, 4 * DAY_MS)
    until(60, "its lists are old", lambda: row(c)["state"] == "unproven" and "old" in row(c)["why"])
    check("old" in until(90, "the alert", lambda: alert(c, "PatchSourceUnproven")), "it says why")
    check(not c.query('fenwatch_patch_overdue{policy="ce14"}', at=time.time() + 4 * 86400), "not 0 overdue")
    check(row(c)["overdue"]["ce14"] is None and row(c)["pending"] > 5, f"no 0 where nothing is proven: {row(c)}")
    fetch_lists(root, 4 * DAY_MS)
    until(90, "its lists are new", lambda: row(c)["state"] == "compliant" or check(False, str(row(c))))
    until(90, "the alert is over", lambda: not alert(c, "PatchSourceUnproven"))
    a.stop()
    set_clock(shift, 14 * DAY_MS)
    until(60, "it is silent", lambda: row(c)["state"] == "unproven" and "not heard" in row(c)["why"])
    report = lambda day, *more: c.cli("report", "patch-compliance", "--at", f"{began + day * 86400:.0f}", *more)
    check("agent" in report(0.001, "--csv").stdout, f"{report(0.001, '--csv')}")
    for day, state in ((3.5, "unproven"), (13.9, "unproven")):
        first, second = report(day, "--csv", "--policy", "ce14"), report(day, "--csv", "--policy", "ce14")
        check(first.returncode == 0 and first.stdout == second.stdout, f"{first} {second}")
        check(f'"agent","ce14","{state}"' in first.stdout, f"day {day}: {first.stdout}")
    whole = report(13.9)
    check("UNPROVEN" in whole.stdout and "not heard from" in whole.stdout, whole.stdout)


def test_a_system_past_its_support(lab):
    old = 'ID=ubuntu\nVERSION_ID="18.04"\nPRETTY_NAME="Ubuntu 18.04 LTS"\n'
    c, a, root = stage_host(lab, name="old", os_release=old)
    until(60, "it is judged", lambda: row(c, "old").get("state") == "unsupported")
    check("Ubuntu 18.04" in until(90, "the alert", lambda: alert(c, "OperatingSystemUnsupported", "old")), "named")
    end = c.value('fenwatch_os_support_end_timestamp_seconds{tier="mainstream"}')
    check(end == datetime(2023, 6, 1, tzinfo=timezone.utc).timestamp(), f"its end: {end}")


def test_a_viewer_imports_nothing(lab):
    c = lab.collector().start()
    viewer = c.cli("token", "new", "--role", "viewer").stdout.strip().splitlines()[-1]
    status, answer = c.request("/api/fenwatch/v1/advisories", "POST", token=viewer)
    check(status == 403, f"{status} {answer}")
    check(c.request("/api/fenwatch/v1/advisories", token=viewer)[0] == 200, "it may look")
    check("none" in c.cli("advisories", "list").stdout, "nothing there")


if __name__ == "__main__":
    main()
