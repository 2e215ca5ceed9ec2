"""Licences from the register and hosts' packages to one answer: over, expired, at a date, and of whom nothing is known."""
import json
import os
import subprocess

from stage import check, main, until

MACHINES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "machines")
STATUS = "var/lib/dpkg/status"
SHELLS = "- {name: Shells, packages: [bash, zsh], entitled: 2, note: ask Jo}\n"
TLS = "- {name: TLS, packages: ['libssl*'], entitled: 5, expires: 2020-01-01}\n"


def register(lab, **files):
    """A folder beside the collector's file, written anew."""
    folder = os.path.join(lab.dir, "register.d")
    os.makedirs(folder, exist_ok=True)
    for name, entries in files.items():
        with open(os.path.join(folder, name + ".yml"), "w") as f:
            f.write("licences:\n" + entries)
    return folder


def write_status(root, *packages):
    path = os.path.join(root, STATUS)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path + ".new", "w") as f:
        for name in packages:
            f.write(f"Package: {name}\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1.0\n\n")
    os.rename(path + ".new", path)


def agent(lab, c, name, root):
    return lab.agent(c, name=name, extra=f"root: {root}\nsources: {{packages: {{every: 10s}}}}\n").enrol()


def ask(c, **more):
    return c.get("/api/fenwatch/v1/licences", **more)


def counts(c, **more):
    """{licence: installed}, and the unproven hosts"""
    data = ask(c, **more)
    return {one["name"]: one["installed"] for one in data["licences"]}, data["unproven"]


def expect(c, installed, unproven, **more):
    until(40, f"{installed}, unproven {unproven}", lambda: counts(c, **more) == (installed, unproven))


def test_what_is_installed_against_what_may_be(lab):
    register(lab, a=SHELLS)
    c = lab.collector(extra="register: register.d/\n").start()
    check("has no effect" not in c.log(), "the register is read")
    recorded = agent(lab, c, "recorded", os.path.join(MACHINES, "debian-12"))
    root = os.path.join(lab.dir, "root")
    write_status(root, "bash", "zsh", "libssl3")
    other = agent(lab, c, "other", root)
    agent(lab, c, "quiet", root)
    expect(c, {"Shells": 0}, ["other", "quiet", "recorded"])
    unheard = c.cli("licences")
    check(unheard.returncode == 0 and "3 of 3 hosts have not told" in unheard.stdout, f"not 0 but unproven: {unheard}")

    recorded.start()
    other.start()
    expect(c, {"Shells": 2}, ["quiet"])
    well = c.cli("licences")
    check(well.returncode == 0 and "1 of 3 hosts have not told" in well.stdout, f"within its bounds: {well}")
    listed = c.cli("licences", "Shells")
    check(all(f"{line}" in " ".join(listed.stdout.split()) for line in
              ("other bash:amd64 1.0", "other zsh:amd64 1.0", "recorded bash:amd64 5.2.15-2+b7")), f"hosts: {listed}")
    table, page = (c.cli("licences", "Shells", form).stdout for form in ("--csv", "--html"))
    check(table.startswith("host,package,version,since\n") and '"other","zsh:amd64","1.0",' in table, f"a table: {table}")
    check("1 of 3 hosts have not told" in page and "zsh:amd64" in page and "</html>" in page, f"a page: {page}")
    check(listed.stdout.count("zsh:amd64") == 1, "who has both counts once, and is listed for each")

    # The expired one is matched by how its packages begin; a mistake before changes nothing.
    register(lab, b="- {name: TLS, packagse: [a], entitled: 1}\n")
    c.reload("b.yml': line 2: unknown key 'packagse'; did you mean 'packages'?; rules, feeds and register stay")
    check(counts(c) == ({"Shells": 2}, ["quiet"]), "the register stays")
    register(lab, b=TLS)
    c.reload("rules, feeds and register are read anew")
    check(counts(c)[0] == {"Shells": 2, "TLS": 2}, f"by pattern: {counts(c)}")
    bad = c.cli("licences")
    check(bad.returncode == 1 and "2020-01-01 (expired)" in bad.stdout, f"expired: {bad}")
    register(lab, b="", a=SHELLS.replace("2,", "1,"))
    c.reload("read anew")
    over = c.cli("--json", "licences", "Shells")
    one = json.loads(over.stdout)["licences"][0]
    check(over.returncode == 1 and (one["over"], one["free"]) == (1, 0), f"over: {over}")
    near = c.cli("licences", "Shell")
    check(near.returncode == 1 and "did you mean 'Shells'?" in near.stderr, f"the nearest: {near}")

    # What goes is known of the time when it was there.
    then = c.get("/api/fenwatch/v1/inventory", host="other")["documents"][0]["changed"]
    write_status(root, "libssl3")
    expect(c, {"Shells": 1}, ["quiet"])
    check("other" in c.cli("licences", "Shells", "--at", then).stdout, "as it was")
    check(c.cli("licences").returncode == 0, "within its bounds again")
    check(c.cli("licences", "--at", "2024-01-01").returncode == 2, "nothing is known of so long ago")

    # A host whose agent is revoked counts no more; one that is silent does.
    other.stop()
    recorded.stop()
    check(c.cli("agent", "revoke", "quiet").returncode == 0, "revoked")
    check(counts(c) == ({"Shells": 1}, []), f"without it: {counts(c)}")
    check(c.cli("agent", "revoke", "recorded").returncode == 0, "revoked too")
    check(counts(c) == ({"Shells": 0}, []), f"nor with that: {counts(c)}")


def test_a_register_that_is_wrong_does_not_start(lab):
    c = lab.collector(extra="register: register.d\n")

    def said():
        done = subprocess.run([lab.program("collector"), "--config", c.config, "--check-config"], capture_output=True,
                              text=True, timeout=180)
        return done.returncode, done.stdout + done.stderr

    check(said()[0] == 1 and "register.d" in said()[1], f"no folder: {said()}")
    folder = register(lab, a=SHELLS, b=SHELLS)
    check(said()[0] == 1 and "licence 'Shells' stands in 'a.yml', line 2, and in 'b.yml', line 2" in said()[1], f"twice: {said()}")
    c.start(wait=False)
    c.child.wait(60)
    check(c.child.returncode == 1 and "'a.yml', line 2" in c.log(), f"{c.log()}")
    os.remove(os.path.join(folder, "b.yml"))
    check(said() == (0, "The configuration is well.\n"), f"well: {said()}")


main()
