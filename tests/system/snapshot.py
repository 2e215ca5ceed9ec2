"""Snapshots while agents send, what is restored from them, and what the store says of itself."""
import json
import os
import subprocess
import time

from stage import check, main, skip, until


def points(c, at=None):
    result = c.query("node_load1[1h]", at)
    return result[0]["values"] if result else []


def offline(c, word, *more):
    return subprocess.run([c.lab.program("collector"), "store", word, "--config", c.config, *more],
                          capture_output=True, text=True, timeout=120)


def restore(c, snapshot):
    return offline(c, "restore", snapshot)


def spoil_schemas(folder):
    with open(os.path.join(folder, "store", "schema.log"), "r+b") as f:
        f.seek(60)
        f.write(b"\xff" * 16)


def snapshot(c, name):
    done = c.cli("store", "snapshot", name)
    check(done.returncode == 0, f"snapshot: {done.stdout}{done.stderr}")
    check(f"{name}: complete" in done.stdout, f"it says so: {done.stdout}")
    return os.path.join(c.data, "snapshots", name)


def test_a_stand_by_goes_on_from_a_snapshot(lab):
    c, a = lab.pair()
    until(20, "five sweeps", lambda: len(points(c)) >= 5)
    at = points(c)[-1][0]
    before = points(c, at)
    folder = snapshot(c, "monday")
    check(os.stat(folder).st_mode & 0o777 == 0o700, "it is for its owner alone")
    until(20, "sweeps after it", lambda: len(points(c)) >= len(before) + 6)
    check(a.stop() == 0 and c.stop() == 0, "both leave with 0")

    b = lab.collector(name="standby", port=c.port)
    done = restore(b, folder)
    check(done.returncode == 0, f"restore: {done.stdout}{done.stderr}")
    check("raw " in done.stdout and "hosts " in done.stdout, f"it says what it holds: {done.stdout}")
    check("in no block yet" in done.stdout and "\nsamples     0" not in done.stdout, f"of the log, too: {done.stdout}")
    b.start()
    check(points(b, at) == before, f"the same points: {points(b, at)} for {before}")
    check([h["name"] for h in b.get("/api/fenwatch/v1/hosts")] == ["agent"], "the host is known")
    a.start()
    until(30, "the agent trusts it and goes on", lambda: points(b) and points(b)[-1][0] > time.time() - 5)
    check(b.stop() == 0, "the stand-by leaves with 0")
    code, text = b.store_check()
    check(code == 0, f"it is sound: {text}")


def test_restored_only_where_no_collector_was(lab):
    c, a = lab.pair()
    until(20, "a sweep", lambda: points(c))
    folder = snapshot(c, "monday")
    a.stop()
    check("lock" in restore(c, folder).stderr or restore(c, folder).returncode == 1, "not while it runs")
    c.stop()
    done = restore(c, folder)
    check(done.returncode == 1 and "there already" in done.stderr, f"not over another: {done.stderr}")
    code, text = c.store_check()
    check(code == 0, f"which is as it was: {text}")
    b = lab.collector(name="standby")
    spoil_schemas(folder)
    done = restore(b, folder)
    check(done.returncode == 1 and "nothing is restored" in done.stderr, f"not from a damaged one: {done.stderr}")
    check(sorted(os.listdir(b.data)) == ["lock"], f"nothing is left of it: {os.listdir(b.data)}")
    check("faults" not in offline(c, "stat").stdout, "nothing is said of damage where there is none")
    spoil_schemas(c.data)
    done = offline(c, "stat")
    check(done.returncode == 0 and "'store check' names them" in done.stdout, f"and where there is some: {done}")


def files_of(folder):
    return sorted(os.path.relpath(os.path.join(at, name), folder) for at, _, names in os.walk(folder) for name in names)


def test_restored_only_if_all_of_it_is_there(lab):
    c, a = lab.pair()
    until(20, "a sweep", lambda: points(c))
    folder = snapshot(c, "monday")
    a.stop()
    c.stop()
    with open(os.path.join(folder, "contents")) as f:
        listed = sorted(line.split()[2] for line in f)
    check(listed == files_of(folder), f"its list has all of its files: {listed}, {files_of(folder)}")
    b = lab.collector(name="standby")
    for name in ("ca.key", "state.db", "store/raw/0000", "store/wal/00000000", "store/super"):
        path = os.path.join(folder, name)
        with open(path, "rb") as f:
            whole = f.read()
        for harm in ("gone", "cut"):
            if harm == "gone":
                os.unlink(path)
            else:
                with open(path, "wb") as f:
                    f.write(whole[:-1] or b"longer")
            done = restore(b, folder)
            check(done.returncode == 1 and f"'{name}'" in done.stderr and "nothing is restored" in done.stderr,
                  f"{name} is {harm}: {done.stderr}")
        with open(path, "wb") as f:
            f.write(whole)
    check(sorted(os.listdir(b.data)) == ["lock"], f"nothing is left of it: {os.listdir(b.data)}")
    os.rename(os.path.join(folder, "contents"), os.path.join(lab.dir, "contents"))
    os.rename(os.path.join(folder, "ca.key"), os.path.join(lab.dir, "ca.key"))
    done = restore(b, folder)
    check(done.returncode == 1 and "ca.key" in done.stderr, f"without its key by no list: {done.stderr}")
    os.rename(os.path.join(lab.dir, "ca.key"), os.path.join(folder, "ca.key"))
    done = restore(b, folder)
    check(done.returncode == 0 and "has no list of its files" in done.stderr, f"an old one: {done.stdout}{done.stderr}")


def test_broken_off_by_a_kill(lab):
    c, a = lab.pair()
    until(20, "a sweep", lambda: points(c))
    a.stop()
    c.stop()
    # The first file that is renamed is one of the snapshot's.
    c.start(FENWATCH_FAULT="kill:rename:1")
    c.cli("store", "snapshot", "monday")
    until(10, "it is killed", lambda: not c.alive())
    part = os.path.join(c.data, "snapshots", "monday.part")
    check(os.path.isdir(part), "what was copied is left")
    c.start()
    check(not os.path.exists(part), "and removed at the next start")
    check("'monday.part' was broken off, and is removed" in c.log(), "the log says so")
    snapshot(c, "monday")


def test_too_little_room(lab):
    mount = os.path.join(lab.dir, "disk")
    os.mkdir(mount)
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256m", "tmpfs", mount], capture_output=True, text=True)
    if done.returncode:
        skip("mounting a tmpfs needs root: " + done.stderr.strip())
    lab.closers.append(lambda: subprocess.run(["umount", "-l", mount]))
    c, a = lab.pair(data=os.path.join(mount, "data"))
    until(20, "a sweep", lambda: points(c))
    room = os.statvfs(mount)
    with open(mount + "/ballast", "wb") as f:
        f.write(b"x" * (room.f_bavail * room.f_frsize - (32 << 20)))
    done = c.cli("store", "snapshot", "monday")
    check(done.returncode == 1 and "the snapshot takes" in done.stderr and "left" in done.stderr,
          f"said: {done.stdout}{done.stderr}")
    check(not os.listdir(os.path.join(c.data, "snapshots")), "nothing was begun")
    seen = len(points(c))
    until(20, "the agent goes on", lambda: len(points(c)) > seen)
    os.unlink(mount + "/ballast")
    snapshot(c, "monday")


def test_a_snapshot_that_fails(lab):
    c, a = lab.pair()
    until(20, "a sweep", lambda: points(c))
    part = os.path.join(c.data, "snapshots", "monday.part")
    with open(part, "w") as f:
        f.write("in the way")
    done = c.cli("store", "snapshot", "monday")
    check(done.returncode == 1 and "cannot make the folder" in done.stdout, f"said: {done.stdout}{done.stderr}")
    seen = len(points(c))
    until(20, "the agent goes on", lambda: len(points(c)) > seen)
    if os.path.exists(part):
        os.unlink(part)
    snapshot(c, "monday")


def test_names(lab):
    c = lab.collector().start()
    for name in ("../x", ".hidden", "a b", "x.part", "y" * 65):
        done = c.cli("store", "snapshot", name)
        check(done.returncode == 2 and "is no name for a snapshot" in done.stderr, f"{name}: {done.stderr}")
    snapshot(c, "Monday-1_2.3")
    done = c.cli("store", "snapshot", "Monday-1_2.3")
    check(done.returncode == 1 and "already" in done.stderr, f"twice: {done.stderr}")
    check(os.listdir(os.path.join(c.data, "snapshots")) == ["Monday-1_2.3"], "no other folder is there")


def test_stat(lab):
    c, a = lab.pair()
    until(20, "a sweep", lambda: points(c))
    done = c.cli("store", "stat")
    check(done.returncode == 0 and "raw" in done.stdout and "hour" in done.stdout, f"stat: {done.stdout}{done.stderr}")
    stat = json.loads(c.cli("--json", "store", "stat").stdout)
    check([t["tier"] for t in stat["tiers"]] == ["raw", "five_minute", "hour"], f"tiers: {stat}")
    check([t["target_days"] for t in stat["tiers"]] == [30, 100, 400], "targets")
    check(stat["tiers"][0]["bytes"] == 16 << 20 and stat["tiers"][0]["days"] is None, "too young to say more")
    check(stat["hosts"] >= 1 and stat["samples"] > 0, "hosts and samples")


if __name__ == "__main__":
    main()
