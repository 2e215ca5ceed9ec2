"""A storm of alerts through every feed, while the collector is killed and all receivers misbehave.

FENWATCH_ALERTS is how many (30 in short), FENWATCH_KILLS how often the collector is ended,
at a write of its state that chance chooses: half of the times while all opens, half while
all ends. Nothing is lost, no close comes before its open, who honours keys has nothing
twice, and each end of the collector may double one mail.
"""
import json
import os
import random
import signal
import sqlite3
import time

import samples
from chaos import Alertmanager, Desk, Ledger, Madness, Mails, OfVendor, Receivers, Syslog, Traps, Webhook
from desks import Desks, Jira, PagerDuty, ServiceNow
from listeners import Reader, certificate, mailbox, need, secret, snmptrapd
from stage import PATIENCE, Process, check, free_port, main, until

ALERTS = int(os.environ.get("FENWATCH_ALERTS", "30"))
KILLS = int(os.environ.get("FENWATCH_KILLS", "4"))
SEED = int(os.environ.get("FENWATCH_SEED", str(random.randrange(1 << 30))))
LONG = ALERTS > 1000
DAY_S = 24 * 3600
AT_ONCE = 8  # of one feed under way, whose receipts a kill may lose

# With so much to write the collector takes no samples for minutes, and without them an alert is over.
RULES = f"""groups:
  - {{name: storm, interval: {5 if LONG else 1}s, rules: [{{alert: Fault, expr: 'last_over_time(fault[6h]) == 1', labels: {{severity: warning}}}}]}}
"""
NOISE = "noise: {storm: 0, host: 0, site: 0, estate: 0}\nbuiltin_rules: {HostSilent: {enabled: false}}\n"


class Fleet:
    """Series of as many hosts as alerts are wanted; each fires as long as its value is 1."""

    def __init__(self, n):
        self.n, self.ahead_s, self.taken = n, 0, {}

    def say_some(self, c, value, begin):
        now = int((time.time() + self.ahead_s) * 1000)
        samples.send(f"http://127.0.0.1:{c.api}/api/v1/write", [
            ({"__name__": "fault", "instance": f"h{i:05}", "job": "storm"}, [(now, value)])
            for i in range(begin, min(begin + 1000, self.n))], token=c.token)
        self.taken[begin] = value

    def say(self, c, value):
        for begin in range(0, self.n, 1000):
            self.say_some(c, value, begin)

    def try_to_say(self, c, value):
        """A collector that has much to do, or is killed, does not take it; the next time it may.
        What it has taken it keeps, so that need not be said again."""
        try:
            for begin in range(0, self.n, 1000):
                if self.taken.get(begin) != value:
                    self.say_some(c, value, begin)
        except (OSError, ValueError):
            pass


def nginx(lab, port):
    """A proxy before the receivers that gives up early and sends slowly."""
    mine, conf = free_port(), os.path.join(lab.dir, "nginx.conf")
    with open(conf, "w") as f:
        f.write(f"daemon off; pid {lab.dir}/nginx.pid; error_log {lab.dir}/nginx.err; events {{}}\n"
                f"http {{ access_log off; client_body_temp_path {lab.dir}/body; proxy_temp_path {lab.dir}/proxy;\n"
                f"fastcgi_temp_path {lab.dir}/f; uwsgi_temp_path {lab.dir}/u; scgi_temp_path {lab.dir}/s;\n"
                f"server {{ listen 127.0.0.1:{mine}; location / {{ proxy_pass http://127.0.0.1:{port};\n"
                "proxy_read_timeout 1s; proxy_next_upstream off; limit_rate 400; } } }\n")
    lab.processes.append(Process(lab, "nginx", [need("nginx", "nginx-core"), "-c", conf, "-p", lab.dir]).start())
    return mine


def feed(name, **more):
    return dict(more, name=name, live=True, match=[{"alertname": "Fault"}])


class Storm:
    """The receivers, the feeds that go to them, and a collector."""

    def __init__(self, lab, seed, only=None):
        self.lab, self.madness, self.kills = lab, Madness(seed), 0
        self.random = random.Random(seed)
        self.lunatic = os.path.join(lab.dir, "mad")
        cert, key = certificate(lab, "localhost")
        vendors = {"events": ServiceNow(), "incidents": ServiceNow(), "jira": Jira(), "pagerduty": PagerDuty()}
        self.desks = Desks(**vendors)
        http = {"hook": Webhook(), "proxied": Webhook(), "desk": Desk(), "am": Alertmanager()}
        http.update({name: OfVendor(self.desks, name) for name in vendors})
        self.web = Receivers(self.madness, **http)
        self.syslog = Syslog(self.madness, cert, key)
        mail_port, mails = mailbox(lab, cert, key, self.lunatic)
        self.trapd, trap_port, traps = snmptrapd(lab)
        self.trapd.start()
        lab.closers += [self.desks.close, self.web.close, self.syslog.close]
        self.ledgers = dict(http, mail=Mails(mails), siem=self.syslog, nms=Traps(traps), shelf=Ledger())
        feeds = self.feeds(lab, mail_port, trap_port, cert)
        self.names = only or list(self.ledgers)
        rules = os.path.join(lab.dir, "storm.yml")
        with open(rules, "w") as f:
            f.write(RULES)
        self.c = lab.collector(store="{raw: 64MiB}", extra=NOISE + f"rules: [{rules}]\nfeeds: " + json.dumps(
            [f for f in feeds if f["name"] in self.names]) + "\n")

    def feeds(self, lab, mail_port, trap_port, cert):
        url = f"http://127.0.0.1:{self.web.port}"
        now = {"type": "servicenow", "user": "fenwatch", "password_file": secret(lab, "now", "pw")}
        return [
            feed("hook", type="webhook", url=url + "/hook"),
            feed("proxied", type="webhook", url=f"http://127.0.0.1:{nginx(lab, self.web.port)}/proxied"),
            feed("am", type="alertmanager", url=url + "/am"),
            feed("desk", type="http", ticket="/id",
                 open={"url": url + "/desk/tickets", "body": {"reference": "{{key}}"}},
                 close={"url": url + "/desk/tickets/{{ticket}}", "method": "PATCH", "body": {"state": "closed"}}),
            feed("events", url=url + "/events", **now),
            feed("incidents", url=url + "/incidents", table="incident", **now),
            feed("jira", type="jira", url=url + "/jira", project="OPS", token_file=secret(lab, "jira", "jira")),
            feed("pagerduty", type="pagerduty", url=url + "/pagerduty/v2/enqueue",
                 routing_key_file=secret(lab, "pager", "0123456789abcdef" * 2)),
            feed("mail", type="mail", server=f"localhost:{mail_port}", to=["desk@council.example"], user="fenwatch",
                 ca_file=cert, password_file=secret(lab, "password", "correct horse"), **{"from": "fw@council.example"}),
            feed("siem", type="syslog", server=f"localhost:{self.syslog.port}", ca_file=cert),
            feed("nms", type="snmp", server=f"127.0.0.1:{trap_port}", version="2c",
                 community_file=secret(lab, "community", "council")),
            feed("shelf", type="pull", token_file=secret(lab, "shelf", "shelf-secret")),
        ]

    # ---- what happens ----

    def be_mad(self, mad):
        self.madness.mad = mad
        if mad:
            open(self.lunatic, "w").close()
        elif os.path.exists(self.lunatic):
            os.unlink(self.lunatic)
        if self.trapd.alive():
            self.trapd.child.send_signal(signal.SIGCONT)

    def kill_once(self, fleet, value):
        """Ends at a write of the state, or soon after where it does not come to that."""
        self.c.kill()
        nth = self.random.choice((16, 64, 256)) + self.random.randrange(64)
        self.c.start(wait=False, FENWATCH_FAULT=f"kill:write:{nth}")
        if self.random.random() < 0.3:
            self.trapd.child.send_signal(signal.SIGSTOP)
        end = time.monotonic() + (5 if LONG else 3)
        while self.c.alive() and time.monotonic() < end:
            fleet.try_to_say(self.c, value)
            time.sleep(0.3)
        self.trapd.child.send_signal(signal.SIGCONT)
        self.c.kill()
        self.kills += 1

    def waiting(self):
        return sum(f["waiting"] for f in self.c.get("/api/fenwatch/v1/feeds"))

    def feeds_now(self):
        """None where it has no time to answer."""
        try:
            return self.c.get("/api/fenwatch/v1/feeds")
        except OSError:
            return None

    def delivered(self, fleet, value, n):
        """Nobody misbehaves any more: all is delivered."""
        deadline, feeds = time.monotonic() + (90 + fleet.n) * PATIENCE, None
        while not feeds or any(f["delivered"] < n for f in feeds):
            feeds = self.feeds_now()
            check(time.monotonic() < deadline, f"not all is delivered: {feeds}")
            fleet.try_to_say(self.c, value)
            time.sleep(0.5)

    def start(self):
        self.c.start(wait=False)
        self.c.wait_ready(300 if LONG else 30)

    def follies(self):
        return sum(self.madness.counts.values())

    def phase(self, fleet, value, n, kills):
        self.be_mad(True)
        for _ in range(kills):
            self.kill_once(fleet, value)
        self.start()
        begin, wanted = time.monotonic(), fleet.n / 2 * (1 if value else 2)
        while time.monotonic() < begin + 3 or self.follies() < wanted:
            check(time.monotonic() < begin + 900, f"they misbehave: {self.madness.counts}")
            fleet.try_to_say(self.c, value)
            time.sleep(0.5)
        self.be_mad(False)
        self.c.kill()  # with it go the pauses
        self.kills += 1
        self.start()
        self.delivered(fleet, value, n)

    # ---- what became of it ----

    def reader(self):
        return Reader(self.c, "shelf", "shelf-secret")

    def extra(self):
        """How often each may have had something twice."""
        mails_died = self.ledgers["mail"].died() if "mail" in self.names else 0
        looked_up = {"incidents": self.kills, "jira": self.kills}  # what was on its way was not found yet
        return {**looked_up, "mail": self.kills + mails_died,
                "siem": AT_ONCE * self.kills + self.syslog.died,
                "nms": (AT_ONCE + 4) * self.kills}

    def judge(self, keys):
        allowed, wrong = self.extra(), []
        for name in self.names:
            wrong += [f"{name}: {text}" for text in self.ledgers[name].judge(keys, allowed.get(name, 0))]
        return wrong + [f"a desk: {text}" for text in self.desks.mistakes]


def test_each_alert_is_opened_and_closed_once_everywhere(lab):
    storm, fleet = Storm(lab, SEED), Fleet(ALERTS)
    print(f"# FENWATCH_SEED={SEED}", flush=True)
    storm.phase(fleet, 1, ALERTS, KILLS // 2)
    storm.phase(fleet, 0, 2 * ALERTS, KILLS - KILLS // 2)
    reader = storm.reader()
    reader.fetch_all(17)
    for n in reader.got:
        storm.ledgers["shelf"].take(n["key"], n["status"])
    keys = {n["key"] for n in reader.got}
    check(len(keys) == ALERTS, f"{len(keys)} keys")
    wrong = storm.judge(keys)
    follies = ", ".join(f"{count} {kind}" for kind, count in sorted(storm.madness.counts.items()))
    print(f"# {ALERTS} alerts, {len(storm.names)} feeds, {storm.kills} kills; receivers: {follies}", flush=True)
    check(not wrong, f"{len(wrong)}: " + "; ".join(wrong[:8]))
    check(storm.follies() >= ALERTS, "they did misbehave")
    refused = [f for f in storm.c.get("/api/fenwatch/v1/feeds") if f["refused"]]
    check(not refused, f"{refused}")


def test_receivers_that_were_away_for_a_day_hear_of_all(lab):
    storm, fleet = Storm(lab, 2, ["hook", "incidents", "siem", "shelf"]), Fleet(10)
    clock = os.path.join(lab.dir, "clock")
    with open(clock, "w") as f:
        f.write("0")
    storm.madness.away = True
    storm.c.start(FENWATCH_CLOCK_FILE=clock)
    fleet.say(storm.c, 1)
    until(30, "all wait", lambda: fleet.say(storm.c, 1) or storm.waiting() == 3 * fleet.n)
    storm.c.stop()
    with open(clock, "w") as f:
        f.write(str(DAY_S * 1000))
    fleet.ahead_s = DAY_S
    storm.c.start(FENWATCH_CLOCK_FILE=clock)
    fleet.say(storm.c, 1)
    check(storm.waiting() == 3 * fleet.n, "a day later they still wait")
    storm.madness.away = False
    storm.delivered(fleet, 1, fleet.n)
    storm.delivered(fleet, 0, 2 * fleet.n)
    reader = storm.reader()
    reader.fetch_all(7)
    storm.names = ["hook", "incidents", "siem"]
    wrong = storm.judge({n["key"] for n in reader.got})
    check(not wrong, "; ".join(wrong[:8]))


def state(c, sql):
    """What lies in the collector's state is changed behind its back."""
    with sqlite3.connect(os.path.join(c.data, "state.db")) as db:
        db.execute(sql)


def test_control_receipts_that_are_not_kept_and_alerts_that_are_dropped_are_found_out(lab):
    storm, fleet = Storm(lab, 1, ["hook", "mail", "shelf"]), Fleet(4)
    storm.c.start()
    fleet.say(storm.c, 1)
    storm.delivered(fleet, 1, 4)
    storm.c.stop()
    state(storm.c, "UPDATE notice SET state = 0 WHERE feed = 'mail'")
    state(storm.c, "DELETE FROM notice WHERE feed = 'hook' AND key = (SELECT min(key) FROM notice)")
    storm.c.start()
    keys = {key for key, _ in storm.ledgers["hook"].taken}
    fleet.say(storm.c, 0)
    until(30, "all is over", lambda: fleet.say(storm.c, 0) or storm.waiting() == 0 and
          all(f["delivered"] >= 7 for f in storm.c.get("/api/fenwatch/v1/feeds") if f["name"] != "hook"))
    storm.names = ["hook", "mail"]
    wrong = storm.judge(keys)
    check(any(text.startswith("mail: 4 came once more") for text in wrong), f"doubled: {wrong}")
    check(any(text.startswith("hook: ") and "resolved was lost" in text for text in wrong), f"dropped: {wrong}")


main()
