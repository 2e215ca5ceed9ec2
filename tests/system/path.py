"""The main job: a fact on this machine, through agent, wire and ring, to a query and a webhook."""
import http.client
import os
import shutil
import socket
import ssl
import subprocess
import time

from checker import Authority
from stage import check, main, skip, skip_where_unseen, until


def test_facts_of_this_machine_can_be_asked_for(lab):
    c, a = lab.pair()
    with open("/proc/meminfo") as f:
        total = int(f.readline().split()[1]) * 1024
    check(c.value('node_memory_MemTotal_bytes{instance="agent"}') == total, "MemTotal is the kernel's")
    with open("/proc/stat") as f:
        boot = next(int(line.split()[1]) for line in f if line.startswith("btime"))
    check(c.value("node_boot_time_seconds") == boot, "boot time is the kernel's")
    check(c.value("up") == 1 or until(20, "up is 1", lambda: c.value("up") == 1), "up")
    hosts = c.get("/api/fenwatch/v1/hosts")
    check([h["name"] for h in hosts] == ["agent"], f"hosts: {hosts}")
    for source in ("cpu", "load", "memory", "filesystem", "network", "packages"):
        until(60, f"source {source} has been read",
              lambda s=source: c.query('node_scrape_collector_success{collector="%s"}' % s))
    check(a.stop() == 0 and c.stop() == 0, "both leave with 0")


def test_a_series_has_a_point_for_every_sweep(lab):
    c, a = lab.pair()

    def is_whole(times):
        """One in every second; what a busy machine has made late carries the time it was taken."""
        seconds = [at // 1000 for at in times]
        return seconds == list(range(seconds[0], seconds[0] + 8)) and sum(at % 1000 == 0 for at in times) >= 4

    def eight_in_a_row():
        times = [round(t * 1000) for t, _ in c.query("node_load1[1m]")[0]["values"]]
        check(any(is_whole(times[i:i + 8]) for i in range(len(times) - 7)), f"eight in a row: {times}")
        return True
    until(60, "one in every second, on a grid of seconds", eight_in_a_row)


def test_what_was_acknowledged_is_there_after_a_restart(lab):
    c, a = lab.pair()
    until(10, "five sweeps", lambda: len(c.query("node_load1[1m]")[0]["values"]) >= 5)
    a.stop()
    time.sleep(0.5)  # what can be read may wait 50 ms for its commit
    before = c.query("node_load1[1h]")[0]["values"]
    c.kill()
    c.start()
    after = c.query("node_load1[1h]")[0]["values"]
    check(after == before, f"the same points after kill -9: {before} became {after}")
    a.start()
    until(10, "new points", lambda: len(c.query("node_load1[1h]")[0]["values"]) > len(before))


def filling_disk(lab):
    """A filesystem of 32 MiB that the test may fill."""
    mount = os.path.join(lab.dir, "disk")
    os.mkdir(mount)
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", mount], capture_output=True, text=True)
    if done.returncode:
        skip("mounting a tmpfs needs root: " + done.stderr.strip())
    lab.closers.append(lambda: subprocess.run(["umount", "-l", mount]))
    skip_where_unseen(mount)
    return mount


def test_a_full_disk_opens_and_clearing_it_closes(lab):
    mount, hook = filling_disk(lab), lab.webhook()
    c, _ = lab.pair(extra=f"feeds: [{{name: desk, type: webhook, url: \"{hook.url}\", live: true}}]\n"
                          "builtin_rules: {FilesystemAlmostFull: {hold: 0s}}\n")
    until(20, "the filesystem is watched", lambda: c.query('node_filesystem_size_bytes{mountpoint="%s"}' % mount))
    ours = lambda status=None: [n for n in hook.notices(status, "FilesystemAlmostFull")
                                if n[2]["alerts"][0]["labels"].get("mountpoint") == mount]
    check(not ours(), "an empty disk is no fault")
    with open(mount + "/ballast", "wb") as f:
        f.write(b"x" * (31 << 20))
    opened = until(15, "the open", lambda: ours("firing"))
    check(len(opened) == 1, f"one open: {opened}")
    body = opened[0][2]
    check(body["version"] == "4" and body["groupKey"].startswith("fw1-"), f"the payload: {body}")
    check(opened[0][1].startswith(body["groupKey"] + "/"), "the idempotency key begins with the alert's")
    os.unlink(mount + "/ballast")
    closed = until(15, "the close", lambda: [n for n in hook.notices("resolved", "FilesystemAlmostFull")
                                             if n[2]["groupKey"] == body["groupKey"]])
    check(closed[0][2]["alerts"][0]["startsAt"] == body["alerts"][0]["startsAt"], "the same episode")


def test_the_close_comes_though_both_sides_are_killed(lab):
    mount, hook = filling_disk(lab), lab.webhook()
    c, _ = lab.pair(extra=f"feeds: [{{name: desk, type: webhook, url: \"{hook.url}\", live: true}}]\n"
                          "builtin_rules: {FilesystemAlmostFull: {hold: 0s}}\n")
    with open(mount + "/ballast", "wb") as f:
        f.write(b"x" * (31 << 20))
    ours = lambda status: [n for n in hook.notices(status, "FilesystemAlmostFull")
                           if n[2]["alerts"][0]["labels"].get("mountpoint") == mount]
    until(20, "the open", lambda: ours("firing"))
    hook.status = 503
    os.unlink(mount + "/ballast")
    until(20, "a refused close", lambda: ours("resolved"))
    c.kill()
    key, refused = ours("resolved")[0][1], len(hook.got)
    hook.status = 200
    c.start()
    until(30, "the close after kill -9", lambda: key in [again for _, again, _ in hook.got[refused:]])
    check(len(ours("resolved")) == 1, f"every try has the same idempotency key: {ours('resolved')}")


def test_sighup_takes_new_feeds_and_rules_and_a_mistake_changes_nothing(lab):
    mount, first, second = filling_disk(lab), lab.webhook(status=503), lab.webhook()
    rule = "builtin_rules: {FilesystemAlmostFull: {hold: 0s}}\n"
    feed = "feeds: [{name: %s, type: webhook, url: \"%s\", live: true}]\n"
    c, _ = lab.pair(extra=rule + feed % ("desk", first.url))
    with open(c.config) as f:
        head = "".join(line for line in f if not line.startswith(("feeds:", "builtin_rules:")))

    def reload(text, said):
        with open(c.config, "w") as f:
            f.write(head + text)
        c.reload(said)

    ours = lambda hook, status: [n for n in hook.notices(status, "FilesystemAlmostFull")
                                 if n[2]["alerts"][0]["labels"].get("mountpoint") == mount]
    with open(mount + "/ballast", "wb") as f:
        f.write(b"x" * (31 << 20))
    until(20, "a first try", lambda: ours(first, "firing"))
    reload(rule + feed % ("desk", "telex://nowhere"), "line")
    until(20, "the collector goes on after a mistake", lambda: c.value("up") == 1)
    reload(rule + feed % ("desk", second.url), "read anew")
    until(30, "what waited goes to the new address", lambda: ours(second, "firing"))
    check({n[1] for n in ours(first, "firing")} == {n[1] for n in ours(second, "firing")}, "under the same key")
    reload("builtin_rules: {FilesystemAlmostFull: {enabled: false}}\n" + feed % ("desk", second.url), "read anew")
    until(20, "a rule that is switched off closes what it opened", lambda: ours(second, "resolved"))
    check(c.stop() == 0, "it leaves with 0")


def test_a_renewed_certificate_is_shown_after_a_reload_and_a_mistaken_one_is_not(lab):
    house = Authority(lab, "house")
    pairs = {name: house.sign(name, days) for name, days in (("first", 9), ("second", 90), ("ended", -1))}
    cert, key = os.path.join(lab.dir, "api.pem"), os.path.join(lab.dir, "api.key")
    trusts = ssl.create_default_context(cafile=house.cert)
    old = ssl.create_default_context(cafile=house.cert)
    old.maximum_version = ssl.TLSVersion.TLSv1_2

    def place(certificate, other_key=None):
        shutil.copy(pairs[certificate] + ".pem", cert)
        shutil.copy(pairs[other_key or certificate] + ".key", key)

    def connect():
        return socket.create_connection(("127.0.0.1", c.api), 30)

    def shown(connection, context=trusts):
        with context.wrap_socket(connection, server_hostname="localhost") as s:
            return s.getpeercert()["serialNumber"]

    numbers = {name: house.openssl("x509", "-in", pair + ".pem", "-noout", "-serial").strip().split("=")[1]
               for name, pair in pairs.items()}

    def is_shown(name):
        return {shown(connect()), shown(connect(), old)} == {numbers[name]}

    place("first")
    c = lab.collector()
    c.reconfigure(f"\"127.0.0.1:{c.api}\"", f"\"127.0.0.1:{c.api}\", tls: {{cert: {cert}, key: {key}}}")
    c.start(wait=False).logged("ready")
    check(is_shown("first"), "the first is shown")

    as_before = "; rules, feeds and register stay as they were, and the API's certificate"
    for pair, words in ((("second", "first"), f"the key in '{key}' is not that of the certificate in '{cert}'"),
                        (("ended",), "the certificate ended at")):
        place(*pair)
        c.reload(words)
        c.reload(as_before)
        done = subprocess.run([*c.argv, "--check-config"], capture_output=True, text=True, timeout=30)
        check(done.returncode == 1 and words in done.stderr, f"and said before: {done}")
    for path, words in ((key, f"'{key}' holds no key"), (cert, f"'{cert}' holds no certificate")):
        place("second")
        open(path, "w").close()
        c.reload(words)
        os.unlink(path)
        c.reload(f"cannot open '{path}'")
    check(is_shown("first"), "after each mistake the first is shown still")

    begun = connect()  # and let in, as who comes behind it is answered
    stays = http.client.HTTPSConnection("localhost", c.api, timeout=30, context=trusts)
    stays.request("GET", "/-/ready")
    line = stays.sock
    check(stays.getresponse().read(), "an answer")
    place("second")
    c.reload("rules, feeds and register are read anew")
    check(is_shown("second") and "another certificate is shown" in c.log(), "the second is shown")
    stays.request("GET", "/-/ready")
    check(stays.getresponse().read() and stays.sock is line, "who was connected stays so")
    check(shown(begun) != shown(connect()), "who came before the reload is shown what was shown then")
    check(c.stop() == 0, "it leaves with 0")


def test_the_command_line_shows_hosts_and_says_what_is_wrong(lab):
    c, _ = lab.pair()
    done = c.cli("hosts")
    check(done.returncode == 0 and "agent" in done.stdout, f"{done}")
    done = c.cli("host", "agent")
    check(done.returncode in (0, 1) and "agent" in done.stdout, f"{done}")
    done = c.cli("query", "node_load1")
    check(done.returncode == 0 and "node_load1" in done.stdout, f"{done}")
    done = c.cli("frobnicate")
    check(done.returncode == 2 and "frobnicate" in done.stderr, f"usage errors are 2: {done}")
    c.stop()
    check(c.cli("hosts").returncode == 3, "no collector is 3")


main()
