"""Networks that fail: packets vanish, both ways, one way or one in five; links are slow; big packets disappear.

Each agent is a site of its own: a network namespace with a veth to this machine
and nftables in it that does the harm. All sites suffer at the same time. Who
is dead must be noticed within 45 s on both sides; when the harm is over every
sweep must be there. FENWATCH_HARM_SECONDS is how long it lasts.
"""
import os
import random
import re
import socket
import subprocess
import threading
import time
from datetime import datetime

from stage import check, main, skip, until

HARM = int(os.environ.get("FENWATCH_HARM_SECONDS", "50"))
NOTICED = 45
SLACK = 5  # a busy machine is late


def run(*argv):
    done = subprocess.run(argv, capture_output=True, text=True)
    return done.stderr.strip() or str(done.returncode) if done.returncode else ""


def must(*argv):
    why = run(*argv)
    check(not why, f"{' '.join(argv)}: {why}")


class Site:
    """A namespace behind a router, another one, in which the harm is done: what a sender's own
    machine drops it would hear of."""

    def __init__(self, lab, number):
        base = f"fw{os.getpid() % 100000}"
        self.name, self.router, wire = f"{base}s{number}", f"{base}r{number}", f"{base}v{number}"
        self.here, there = f"10.213.{number}.1", f"10.213.{number}.2"
        inner, outer = f"10.214.{number}.2", f"10.214.{number}.1"
        lab.closers.append(lambda: (run("ip", "netns", "del", self.name), run("ip", "netns", "del", self.router),
                                    run("ip", "link", "del", wire)))
        for line in (f"netns add {self.name}", f"netns add {self.router}",
                     f"link add {wire} type veth peer name wan netns {self.router}",
                     f"-n {self.router} link add lan type veth peer name eth0 netns {self.name}",
                     f"addr add {self.here}/24 dev {wire}", f"link set {wire} up",
                     f"-n {self.router} addr add {there}/24 dev wan", f"-n {self.router} link set wan up",
                     f"-n {self.router} addr add {outer}/24 dev lan", f"-n {self.router} link set lan up",
                     f"-n {self.name} addr add {inner}/24 dev eth0", f"-n {self.name} link set eth0 up",
                     f"-n {self.name} link set lo up", f"-n {self.name} route add default via {outer}",
                     f"route add 10.214.{number}.0/24 via {there}",
                     f"netns exec {self.router} sysctl -qw net.ipv4.ip_forward=1"):
            why = run("ip", *line.split())
            if why:
                skip(f"no namespaces of the network here: ip {line}: {why}")

    def inside(self, *argv):
        return ["nsenter", f"--net=/run/netns/{self.name}", *argv]

    def at_router(self, *argv):
        return ["nsenter", f"--net=/run/netns/{self.router}", *argv]

    def harm(self, rules):
        """Rules of nftables for what leaves the site (out) and what comes to it (in), each counted."""
        lines = ["table inet harm {", "chain way { type filter hook forward priority 0;"]
        lines += [f'iifname "{lan}" {rules[way]} counter drop' for way, lan in (("out", "lan"), ("in", "wan"))
                  if way in rules]
        done = subprocess.run(self.at_router("nft", "-f", "-"), input="\n".join(lines + ["}", "}"]),
                              capture_output=True, text=True)
        if done.returncode:
            skip(f"no nftables here: {done.stderr.strip()}")
        if "slow" in rules:
            must("tc", "-n", self.router, "qdisc", "add", "dev", "wan", "root", "tbf", "rate", rules["slow"], "burst",
                 "1600", "latency", "400ms")

    def dropped(self):
        done = subprocess.run(self.at_router("nft", "list", "table", "inet", "harm"), capture_output=True, text=True)
        return sum(int(n) for n in re.findall(r"counter packets (\d+)", done.stdout))

    def heal(self):
        must(*self.at_router("nft", "delete", "table", "inet", "harm"))
        run("tc", "-n", self.router, "qdisc", "del", "dev", "wan", "root")


class Relay(threading.Thread):
    """Passes bytes on, each piece two seconds later, more or less."""

    def __init__(self, target):
        super().__init__(daemon=True)
        self.server, self.target, self.delays = socket.create_server(("127.0.0.1", 0)), target, False
        self.port, self.late = self.server.getsockname()[1], 0
        self.start()

    def run(self):
        while True:
            client, _ = self.server.accept()
            try:
                server = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                client.close()
                continue
            for a, b in ((client, server), (server, client)):
                threading.Thread(target=self.pump, args=(a, b), daemon=True).start()

    def pump(self, a, b):
        try:
            while data := a.recv(4096):
                if self.delays:
                    time.sleep(random.uniform(0.5, 3.5))
                    self.late += 1
                b.sendall(data)
        except OSError:
            pass
        for s in (a, b):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def times_ms(collector, host):
    """When the sweeps of a host were made."""
    result = collector.query(f'node_load1{{instance="{host}"}}[1h]', at=time.time() + 5)
    return [round(t * 1000) for t, _ in result[0]["values"]] if result else []


def gaps(times):
    """Where a second has no sweep; only the first one lies between two seconds."""
    return [(a, b) for a, b in zip(times[1:], times[2:]) if b - a != 1000]


def complete(collector, host):
    """Every sweep of a host is there."""
    try:
        until(60, f"every sweep of {host} is there", lambda: not gaps(times_ms(collector, host)))
    except AssertionError:
        times = times_ms(collector, host)
        raise AssertionError(f"{host}, from {times[0]} to {times[-1]}: gaps {gaps(times)}")


def logged_at(log, pattern, since):
    """When the first line after `since` was written that fits; None."""
    for line in log.splitlines():
        found = re.match(r"(\S+)Z ", line)
        if found and re.search(pattern, line):
            at = datetime.fromisoformat(found.group(1) + "+00:00").timestamp()
            if at >= since:
                return at
    return None


# name, harm, whether the agent is cut off, whether agent and collector must notice it
SITES = [
    ("blackhole", {"out": "", "in": ""}, True, True, True),
    ("noway-up", {"out": ""}, True, True, True),
    ("noway-down", {"in": ""}, True, True, True),
    ("mtu", {"out": "meta length > 150"}, True, True, True),
    ("killed", {"out": "", "in": ""}, True, False, True),
    ("lossy", {"out": "numgen random mod 100 < 20", "in": "numgen random mod 100 < 20"}, False, False, False),
    ("modem", {"slow": "64kbit"}, False, False, False),
    ("unharmed", {}, False, False, False),
]


def open_sites(lab, c):
    agents = {}
    for number, (name, *_) in enumerate(SITES, 1):
        site = Site(lab, number)
        agent = lab.agent(c, name=name).enrol()
        with open(agent.config) as f:
            text = f.read()
        with open(agent.config, "w") as f:
            f.write(text.replace(f"127.0.0.1:{c.port}", f"{site.here}:{c.port}"))
        agent.argv = site.inside(*agent.argv)
        agents[name] = (site, agent.start())
    return agents


def notices(c, agents, since):
    """What must be noticed and is not, or too late; with the seconds that it took."""
    wrong, took = [], []
    for name, _, _, by_agent, by_collector in SITES:
        sides = [("the agent", agents[name][1].log(), r"warning: collector .*; next attempt", by_agent),
                 ("the collector", c.log(), rf"info: {name} \(.*has gone", by_collector)]
        for side, log, pattern, due in sides:
            at = logged_at(log, pattern, since)
            if due and (at is None or at - since > NOTICED + SLACK):
                wrong.append(f"{name}: {side} after {'never' if at is None else round(at - since)} s")
            elif due:
                took.append(at - since)
    return wrong, took


def test_every_kind_of_harm_at_once(lab):
    if os.getuid() != 0:
        skip("namespaces of the network need root")
    c = lab.collector(store="{raw: 64MiB}")
    with open(c.config) as f:
        text = f.read()
    with open(c.config, "w") as f:
        f.write(text.replace(f'"127.0.0.1:{c.port}"', f'"0.0.0.0:{c.port}"'))
    c.start()
    agents = open_sites(lab, c)
    relay = Relay(c.port)
    late = lab.agent(c, name="late", port=relay.port).enrol().start()
    names = [name for name, *_ in SITES] + ["late"]
    for name in names:
        until(60, f"{name} sends", lambda n=name: len(times_ms(c, n)) >= 3)
    since = time.time()
    for name, rules, *_ in SITES:
        agents[name][0].harm(rules)
    relay.delays = True
    agents["killed"][1].kill()
    time.sleep(HARM)
    wrong, took = notices(c, agents, since)
    check(not wrong, f"not noticed within {NOTICED} s: {wrong}")
    print(f"# {max(took):.1f} s until the last of {len(took)} dead peers was noticed", flush=True)
    # The harm was felt, and who was not harmed noticed nothing.
    for name, rules, cut_off, *_ in SITES:
        age = time.time() - times_ms(c, name)[-1] / 1000
        check(not cut_off or age > HARM - 10, f"{name} is cut off, and its newest sweep is {age:.0f} s old")
        check("out" not in rules and "in" not in rules or agents[name][0].dropped() > 0, f"{name}: nothing dropped")
    check(relay.late > 5, "the relay was slow")
    check(logged_at(c.log(), r"unharmed \(.*has gone", since) is None, "who was not harmed stays connected")
    for name, *_ in SITES:
        agents[name][0].heal()
    relay.delays = False
    agents["killed"][1].start()
    healed = time.time() * 1000
    for name in names:
        until(90, f"{name} sends again", lambda n=name: times_ms(c, n)[-1] > healed + 2000)
        if name != "killed":
            complete(c, name)
    print(f"# {sum(len(times_ms(c, n)) for n in names)} sweeps of {len(names)} agents, none missing", flush=True)
    check(gaps(times_ms(c, "killed")), "control: the hole in what a dead agent did not send is found")
    check(late.alive(), "the one behind the slow relay lives")


main()
