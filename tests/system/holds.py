"""Built-in rules with the holds that they have, up to an hour: each fires when its hold is over and not before.

Both clocks of the collector are moved by files, so an hour passes in a moment. What hosts say is said in the wire's
own words, by an agent of the test's; the collector, its register and its feeds are real. A desk must have its ticket
60 s after the hold, in its queue, and its end 60 s after the repair.
"""
import json
import os
import time

import wire
from stage import check, clock_file, main, set_clock, until

MINUTE, HOUR, DAY = 60, 3600, 24 * 3600
WITHIN_S = 60
ABSENT = -(1 << 63)


def ends(path, valid_for, days):
    return ("fenwatch_certificate_not_after_timestamp_seconds", {"path": path, "valid_for": valid_for},
            lambda now: now + days * DAY, lambda now: now + 300 * DAY)


# Of each host: rule, hold, and what says so: metric, labels, value when broken, and when it is well, of which three
# decimals are kept; None: the series is not there. What comes after them is what the host sends besides.
SERVER = [
    ("MountNotAnswering", 2 * MINUTE, ("node_filesystem_device_error", {"device_error": "mountpoint timeout", "mountpoint": "/mnt/a"}, 1, None)),
    ("VolumeDeviceMissing", MINUTE, ("fenwatch_lvm_volume_faulty", {"device": "dm-3", "lv_name": "home", "vg_name": "vg0"}, 1, 0)),
    ("ClockWrong", 10 * MINUTE, ("node_timex_offset_seconds", {}, -0.2, 0.001)),
    ("ClockNotSynchronised", HOUR, ("node_timex_sync_status", {}, 0, 1)),
    ("RebootOverdue", MINUTE, ("fenwatch_reboot_required_since_timestamp_seconds", {"detector": "kernel"}, lambda now: now - 8 * DAY, None)),
    ("CertificateRenewalDue", 0, ends("/etc/ssl/a.pem", "years", 50)),
    ("CertificateEndsSoon", 0, ends("/etc/ssl/b.pem", "years", 20)),
    ("CertificateNotRenewed", 0, ends("/etc/ssl/c.pem", "months", 10)),
    ("CertificateEndsThisWeek", 0, ends("/etc/ssl/d.pem", "years", 5)),
]
PROBE = [
    ("WireAddressConflict", 0, ("fenwatch_capture_recent_address_conflicts", {}, 3, 0)),
    ("WireArpStorm", 0, ("fenwatch_capture_recent_arp_storm_seconds", {}, 40, 0)),
    ("WireDhcpFailing", 5 * MINUTE, ("fenwatch_capture_recent_dhcp_unanswered_ratio", {}, 0.8, 0)),
    ("WireDnsFailing", 10 * MINUTE, ("fenwatch_capture_recent_dns_failed_ratio", {}, 0.3, 0)),
    ("WireRetransmissions", 15 * MINUTE, ("fenwatch_capture_recent_tcp_retransmitted_ratio", {}, 0.1, 0)),
    ("CaptureDropping", 15 * MINUTE, ("fenwatch_capture_recent_kernel_dropped_ratio", {}, 0.05, 0)),
    ("CaptureSampling", HOUR, ("fenwatch_capture_sampled_ratio", {}, 0.1, 1)),
]
HOSTS = {"srv01": SERVER, "probe01": PROBE}
QUEUES = {"srv01": "servers", "probe01": "network"}
REGISTER = """
suppliers: [{name: Contoso}, {name: Netways}]
hosts: [{host: srv01, supplier: Contoso}, {host: probe01, supplier: Netways}]
"""


class Host:
    """One agent of the wire; every sweep comes on a connection of its own, as clocks jump between."""

    def __init__(self, scene, name, rules):
        self.scene, self.name, self.seq = scene, name, 0
        self.facts = [fact for _, _, fact in rules] + [("node_scrape_collector_success", {"collector": c}, 1, 1) for c in
                                                       ("certificates", "filesystem", "lvm", "packages", "timex")]
        self.schema = wire.Schema([(metric, labels, 0, 3) for metric, labels, _, _ in self.facts])
        self.identity = wire.Identity(name)
        refused = self.identity.enrol(scene.c, scene.c.join_token())
        check(not refused, refused)

    def say(self, well):
        now, self.seq = self.scene.now(), self.seq + 1
        values = [fact[3 if well else 2] for fact in self.facts]
        values = [value(now) if callable(value) else value for value in values]
        cells = [ABSENT if value is None else round(value * 1000) for value in values]
        peer = wire.Peer(self.scene.c, self.identity, next_live=self.seq)
        check(peer.welcome is not None, f"{self.name} is welcome")
        peer.send(wire.SCHEMA, self.schema.message(1))
        peer.send(wire.BATCH, wire.batch(self.seq, 1, int(now * 1000), 1000, [cells]))
        check(peer.wait_acked(self.seq), f"sweep {self.seq} of {self.name} is taken")
        peer.close()


class Scene:
    def __init__(self, lab):
        self.wall, self.steady, self.shift_s = clock_file(lab), clock_file(lab, 0) + "-steady", 0
        set_clock(self.steady, 0)
        os.makedirs(os.path.join(lab.dir, "register.d"))
        with open(os.path.join(lab.dir, "register.d", "all.yml"), "w") as f:
            f.write(REGISTER)
        self.hooks = {queue: lab.webhook() for queue in ("servers", "network", "others")}
        suppliers = {"servers": "Contoso", "network": "Netways"}
        feeds = [{"name": queue, "type": "webhook", "url": hook.url, "live": True,
                  **({"match": [{"supplier": suppliers[queue]}]} if queue in suppliers else {"otherwise": True})}
                 for queue, hook in self.hooks.items()]
        self.c = lab.collector(
            extra=f"register: register.d/\nbuiltin_rules: {{HostSilent: {{enabled: false}}}}\nfeeds: {json.dumps(feeds)}\n",
            env={"FENWATCH_CLOCK_FILE": self.wall, "FENWATCH_STEADY_CLOCK_FILE": self.steady}).start()
        self.hosts = [Host(self, name, rules) for name, rules in HOSTS.items()]

    def now(self):
        return time.time() + self.shift_s

    def jump(self, shift_s):
        """Never back: one of the clocks cannot."""
        self.shift_s = max(shift_s, self.shift_s)
        shift_s = self.shift_s
        for path in (self.steady, self.wall):
            set_clock(path, int(shift_s * 1000))

    def say(self, well):
        for host in self.hosts:
            host.say(well)

    def comes(self, what, well, status, wanted):
        """Hosts speak on meanwhile."""
        def look():
            found = self.told(status)
            if found != wanted:
                time.sleep(0.5)
                self.say(well)
            check(found == wanted, f"{found ^ wanted}")
            return True
        until(WITHIN_S, f"{what} is told as {status}, in its queue", look)

    def told(self, status):
        """{(queue, rule, host)}; nobody is told twice. That the hosts send no list of packages is another matter."""
        told = [(queue, body["alerts"][0]["labels"]["alertname"], body["alerts"][0]["labels"].get("instance"))
                for queue, hook in self.hooks.items() for _, _, body in hook.notices(status)]
        told = [one for one in told if one[1] in {rule for _, rule, _ in wanted()}]
        check(len(told) == len(set(told)), f"one ticket each: {told}")
        return set(told)


def wanted(shortest=0, longest=HOUR):
    return {(QUEUES[host], rule, host) for host, rules in HOSTS.items() for rule, hold, _ in rules
            if shortest <= hold <= longest}


def test_default_holds(lab):
    s = Scene(lab)
    s.say(True)
    s.jump(3 * HOUR)  # what is so when a host first reports is work for the next patch night
    s.say(True)
    before = time.monotonic()
    s.say(False)
    after, last = time.monotonic(), 0
    for hold in sorted({hold for rules in HOSTS.values() for _, hold, _ in rules}):
        if hold:
            s.jump(3 * HOUR + (last + hold) / 2 - (time.monotonic() - before))
            s.say(False)
            check(not s.told("firing") & wanted(hold), f"before {hold} s none of that hold has fired: {s.told('firing')}")
            s.jump(3 * HOUR + hold + 1 - (time.monotonic() - after))
            s.say(False)
        last = hold
        s.comes(f"what is held {hold} s", False, "firing", wanted(0, hold))
    check(not s.told("resolved"), "none is over")

    s.say(True)
    at_once = {one for one in wanted() if one[1] not in ("MountNotAnswering", "RebootOverdue")}
    s.comes("what is well", True, "resolved", at_once)
    s.jump(s.shift_s + 5 * MINUTE)
    s.say(True)
    check(s.told("resolved") == at_once, f"of what is gone nobody knows for ten minutes: {s.told('resolved')}")
    s.jump(s.shift_s + 5 * MINUTE + 1)
    s.say(True)
    s.comes("what is gone", True, "resolved", wanted())
    check(s.told("firing") == wanted(), f"{s.told('firing') ^ wanted()}")


if __name__ == "__main__":
    main()
