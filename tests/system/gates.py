"""What the gate holds back and lets go, with the collector killed in the middle of it."""
import json
import os
import time

from fleets import Fleet
from samples import send
from stage import check, main, until

RULES = """groups:
- name: facts
  interval: 1s
  rules: [{alert: Full, expr: full == 1, labels: {severity: warning}}]
"""
DEVICES = 5
REGISTER = """
sites: [{name: Hall, links: [line-00000]}]
hosts: [{match: {instance: ".*"}, site: Hall}]
"""


class Scene:
    """One fact of web01 that may be a fault, a collector, and a desk."""

    def __init__(self, lab, extra=""):
        with open(os.path.join(lab.dir, "rules.yml"), "w") as f:
            f.write(RULES)
        self.hook = lab.webhook()
        feeds = [{"name": "desk", "type": "webhook", "url": self.hook.url, "live": True}]
        self.c = lab.collector(extra=f"rules: [rules.yml]\nfeeds: {json.dumps(feeds)}\n{extra}").start()

    def say(self, full):
        send(f"http://127.0.0.1:{self.c.api}/api/v1/write",
             [({"__name__": "full", "instance": "web01", "job": "x"}, [(int(time.time() * 1000), float(full))])],
             self.c.token)

    def command(self, *words):
        done = self.c.cli(*words)
        check(done.returncode == 0, f"{words}: {done.stdout}{done.stderr}")
        return done.stdout

    def die(self):
        """kill -9, and again."""
        self.c.kill()
        self.c.start()

    def told(self, rule="Full"):
        """As who honours keys has it: what a kill left in doubt is said again, with the same one."""
        return list({key: body["status"] for _, key, body in self.hook.notices(rule=rule)}.values())

    def alerts(self, rule="Full", held=None):
        """Those that fire, and are held for this reason or for none."""
        return [a for a in self.c.alerts(rule=rule, state="firing") if (a["held"] or {}).get("reason") == held]

    def evaluated(self):
        """The rules were evaluated so often since now that what they do not find would be over."""
        seen = set()
        until(60, "evaluations", lambda: seen.add(
            self.c.get("/api/v1/rules")["groups"][0]["lastEvaluation"]) or len(seen) > 5)


def test_a_silence_that_ends_while_it_fires(lab):
    s = Scene(lab)
    s.command("silence", "add", "instance=web01", "--for", "1h", "--note", "CHG-1")
    s.say(1)
    until(30, "it fires and is held", lambda: s.alerts(held="silenced"))
    s.die()
    s.evaluated()
    check(s.alerts(held="silenced") and s.told() == [], f"silenced over a kill: {s.told()}")
    s.command("silence", "end", "1")
    until(30, "it is told", lambda: s.told() == ["firing"])
    s.die()
    s.evaluated()
    check(s.told() == ["firing"] and s.alerts(), f"once: {s.told()}")
    s.say(0)
    until(30, "its end is told", lambda: s.told() == ["firing", "resolved"])


def test_acknowledged_cleared_and_firing_again(lab):
    s = Scene(lab)
    s.say(1)
    until(30, "it is told", lambda: s.told() == ["firing"])
    key = s.alerts()[0]["key"]
    s.command("ack", key, "--note", "on my way")
    s.die()
    until(30, "acknowledged over a kill", lambda: s.alerts()[0]["acknowledged"])
    s.evaluated()
    s.say(0)
    until(30, "its end is told", lambda: s.told() == ["firing", "resolved"])
    s.die()
    s.say(1)
    until(60, "it is told anew", lambda: s.told() == ["firing", "resolved", "firing"])
    again = s.alerts()[0]
    check(again["key"] == key and not again["acknowledged"], f"the same alert, which nobody has acknowledged: {again}")
    starts = {body["alerts"][0]["startsAt"] for _, _, body in s.hook.notices("firing", "Full")}
    check(len(starts) == 2, f"another episode: {starts}")


def test_a_site_whose_link_is_cut_and_back(lab):
    os.makedirs(os.path.join(lab.dir, "register.d"))
    with open(os.path.join(lab.dir, "register.d", "all.yml"), "w") as f:
        f.write(REGISTER)
    s = Scene(lab, "register: register.d/\nbuiltin_rules: {HostSilent: {hold: 6s}, SiteUnreachable: {hold: 6s}}\n")
    fleets = [Fleet(lab, s.c, count, name=name, series=1, interval=1000, pause=2, **{"from": f"127.{at}.0.1"}).begin()
              for at, (name, count) in enumerate((("device", DEVICES), ("line", 1)), 1)]
    until(30, "all are heard", lambda: s.c.value("count(count_over_time(fleet_tick[1m]) > 4)") == DEVICES + 1)
    for fleet in fleets:  # devices first
        fleet.close()
    until(60, "the site is told of", lambda: s.told("SiteUnreachable") == ["firing"])
    s.die()
    time.sleep(3)  # looks at all hosts
    check(s.told("SiteUnreachable") == ["firing"] and s.told("HostSilent") == [], f"it alone: {s.hook.got}")
    for at, fleet in enumerate((("device", DEVICES), ("line", 1)), 1):
        Fleet(lab, s.c, fleet[1], name=fleet[0], series=1, interval=1000, pause=2, **{"from": f"127.{at}.0.1"}).begin()
    until(60, "the site is back", lambda: s.told("SiteUnreachable") == ["firing", "resolved"])
    until(30, "nothing is open", lambda: not s.alerts("HostSilent"))
    check(s.told("HostSilent") == [], f"no device was told of: {s.hook.got}")


if __name__ == "__main__":
    main()
