"""Inventory from a host's files to a question: differences, gaps, kills, a collector that was set back."""
import json
import os
import shutil
import sqlite3

from stage import check, main, until

STATUS = "var/lib/dpkg/status"


def package(name, version, arch="amd64"):
    return f"Package: {name}\nStatus: install ok installed\nArchitecture: {arch}\nVersion: {version}\n\n"


def write_status(root, packages):
    path = os.path.join(root, STATUS)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path + ".new", "w") as f:
        f.write("".join(package(*p) for p in packages))
    os.rename(path + ".new", path)


def stage_host(lab, packages, **agent):
    """A collector and an agent whose machine is a tree that the test writes."""
    root = os.path.join(lab.dir, "root")
    write_status(root, packages)
    c = lab.collector().start()
    a = lab.agent(c, extra=f"root: {root}\nsources: {{packages: {{every: 10s}}}}\n", **agent).enrol()
    return c, a, root


def held(c, **more):
    data = c.get("/api/fenwatch/v1/inventory", host="agent", kind="packages", **more)
    return {item["key"]: item["fields"]["version"] for item in data["items"]}


def revision(c):
    with sqlite3.connect(f"file:{c.data}/state.db?mode=ro", uri=True) as db:
        return db.execute("SELECT revision, missing FROM inventory_document").fetchone()


def expect(c, packages, seconds=30):
    wanted = {f"{name}:amd64": version for name, version in packages}
    until(seconds, f"{len(wanted)} packages are known", lambda: held(c) == wanted)


def test_a_package_is_found_and_its_past_too(lab):
    c, a, root = stage_host(lab, [("bash", "5.1"), ("zsh", "5.9")])
    a.start()
    expect(c, [("bash", "5.1"), ("zsh", "5.9")])
    first = c.get("/api/fenwatch/v1/inventory", host="agent")["documents"][0]["changed"]
    write_status(root, [("bash", "5.2")])
    expect(c, [("bash", "5.2")])
    check(held(c, at=first) == {"bash:amd64": "5.1", "zsh:amd64": "5.9"}, "what it had before")
    found = c.cli("inventory", "--package", "bash")
    check(found.returncode == 0 and "agent  bash:amd64  5.2" in found.stdout, f"found: {found}")
    listed = json.loads(c.cli("--json", "inventory", "agent", "--at", first).stdout)
    check(len(listed["items"]) == 2, f"listed: {listed}")
    check("1 packages" in c.cli("host", "agent").stdout, "the host's page counts them")


def test_a_thousand_packages_and_ten_that_change(lab):
    packages = [(f"lib{i:04d}", "1.0") for i in range(5000)]
    c, a, root = stage_host(lab, packages)
    a.start()
    expect(c, packages, 60)
    whole = revision(c)[0]
    packages = [(name, "1.1") for name, _ in packages[:10]] + packages[10:]
    write_status(root, packages)
    expect(c, packages, 60)
    check(revision(c) == (whole + 1, 0), "one difference")


def test_what_changed_while_nobody_listened(lab):
    c, a, root = stage_host(lab, [("bash", "5.1")])
    a.start()
    expect(c, [("bash", "5.1")])
    c.kill()
    for version in ("5.2", "5.3"):
        write_status(root, [("bash", version)])
        until(20, "the agent has read it", lambda v=version: v in open(f"{a.data}/documents/packages").read())
    c.start()
    expect(c, [("bash", "5.3")])


def test_a_collector_set_back_asks_for_the_whole(lab):
    c, a, root = stage_host(lab, [("bash", "5.1"), ("dash", "1"), ("zsh", "5.9")])
    a.start()
    expect(c, [("bash", "5.1"), ("dash", "1"), ("zsh", "5.9")])
    c.stop()
    copy = c.data + ".copy"
    shutil.copytree(c.data, copy)
    c.start()
    write_status(root, [("bash", "5.1"), ("dash", "1")])
    expect(c, [("bash", "5.1"), ("dash", "1")])
    c.stop()
    shutil.rmtree(c.data)
    os.rename(copy, c.data)
    c.start()
    # Nothing changes any more on the host: the agent hears from the welcome that something is gone.
    expect(c, [("bash", "5.1"), ("dash", "1")])


def test_a_lost_difference_is_made_good(lab):
    c, a, root = stage_host(lab, [("bash", "5.1"), ("dash", "1"), ("zsh", "5.9")])
    a.start()
    expect(c, [("bash", "5.1"), ("dash", "1"), ("zsh", "5.9")])
    a.stop()
    # As if revision + 1 had never come: the table that the next is compared with has it already.
    path = f"{a.data}/documents/packages"
    with open(path) as f:
        head, *lines = f.read().splitlines(True)
    number = int(head.split()[2])
    with open(path, "w") as f:
        f.write(f"fenwatch-items 1 {number + 1} 0\n" + "".join(line for line in lines if "zsh" not in line))
    write_status(root, [("bash", "5.2"), ("dash", "1")])
    a.start()
    expect(c, [("bash", "5.2"), ("dash", "1")])


def test_an_agent_killed_anywhere_between_reading_and_keeping(lab):
    c, a, root = stage_host(lab, [("bash", "5.0"), ("dash", "1"), ("zsh", "5.9")])
    a.start()
    expect(c, [("bash", "5.0"), ("dash", "1"), ("zsh", "5.9")])
    # Each sync and rename from the start on is the last one once, in the agent or in the child that reads.
    for n, fault in enumerate([f"kill:{op}:{nth}" for op in ("rename", "fdatasync") for nth in range(1, 5)]):
        packages = [("bash", f"5.{n + 1}"), ("dash", "1"), ("zsh", "5.9")]
        a.stop()
        write_status(root, packages)
        before = a.log().count("ended without")
        a.start(FENWATCH_FAULT=fault)
        until(20, f"{fault} has ended the agent or a child, or never will", lambda p=packages: not a.alive()
              or a.log().count("ended without") > before or held(c) == {f"{k}:amd64": v for k, v in p})
        a.kill()
        a.start()
        expect(c, packages)


def test_a_new_stream_begins_with_the_whole(lab):
    c, a, root = stage_host(lab, [("bash", "5.1"), ("zsh", "5.9")])
    a.start()
    expect(c, [("bash", "5.1"), ("zsh", "5.9")])
    a.stop()
    shutil.rmtree(f"{a.data}/spool")
    before = revision(c)[0]
    a.start()
    until(30, "another whole has come", lambda: revision(c)[0] > before)
    write_status(root, [("bash", "5.2"), ("zsh", "5.9")])
    expect(c, [("bash", "5.2"), ("zsh", "5.9")])


def test_a_forgotten_host_is_gone_and_may_come_again(lab):
    c, a, root = stage_host(lab, [("bash", "5.1")])
    other = lab.agent(c, name="other").enrol().start()
    a.start()
    expect(c, [("bash", "5.1")])
    until(30, "both hosts speak", lambda: len(c.query("node_time_seconds")) == 2)
    check("there is no host" in c.cli("forget", "nobody").stderr, "nobody cannot be forgotten")
    done = c.cli("forget", "agent")
    check(done.returncode == 0 and "forgot agent" in done.stdout, f"forgot: {done}")

    def what_is_left():
        status, _ = c.request("/api/fenwatch/v1/inventory?host=agent")
        hosts = [h["name"] for h in c.get("/api/fenwatch/v1/hosts")]
        agents = [x["name"] for x in c.get("/api/fenwatch/v1/agents")]
        alerts = c.alerts(host="agent")
        series = c.query('{instance="agent"}[1h]')
        return [left for left in (status != 404 and "inventory", hosts != ["other"] and hosts,
                                  agents != ["other"] and agents, alerts, series) if left]

    until(10, "nothing of it is left", lambda: not what_is_left() or check(False, str(what_is_left())))
    a.logged("enrol anew")
    c.kill()
    c.start()
    until(30, "the other is back", lambda: c.query('node_time_seconds{instance="other"}'))
    until(10, "nothing after kill -9 either", lambda: not what_is_left() or check(False, str(what_is_left())))
    with sqlite3.connect(f"file:{c.data}/state.db?mode=ro", uri=True) as db:
        for table in ("inventory_item", "inventory_document", "host_class", "agent", "episode"):
            rows = db.execute(f"SELECT * FROM {table}").fetchall()
            check(not any("agent" in map(str, row) for row in rows), f"{table}: {rows}")
    # Enrolled anew it is another host, whose time begins now.
    a.stop()
    a.enrol()
    a.start()
    until(30, "it speaks again", lambda: c.query('node_time_seconds{instance="agent"}'))
    until(30, "it has a page", lambda: c.get("/api/fenwatch/v1/hosts/agent")["name"] == "agent")
    expect(c, [("bash", "5.1")])
    check(other.alive(), "the other went on")


main()
