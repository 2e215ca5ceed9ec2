"""Rule files at work: holds over a real restart, series that end, files read anew, good and broken.

The collector's clock is moved by a file, so half an hour passes in a moment.
"""
import os
import shutil
import time
import urllib.parse
import urllib.request
from datetime import datetime

from samples import send
from stage import check, clock_file, main, set_clock, until

MACHINES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "machines")
MINUTE = 60
# The form of node-mixin's NodeFileDescriptorLimit.
DESCRIPTORS = """groups:
- name: node-exporter
  interval: 1s
  rules:
  - alert: NodeFileDescriptorLimit
    expr: |
      (
        node_filefd_allocated{job="node"} * 100 / node_filefd_maximum{job="node"} > 70
      )
    for: 2s
    labels: {severity: critical}
    annotations:
      description: File descriptors limit at {{ $labels.instance }} is currently at {{ printf "%.2f" $value }}%.
      summary: Kernel is predicted to exhaust file descriptors limit soon.
"""
WAITS = """- name: waits
  interval: 1s
  rules:
  - alert: Waits
    expr: last_over_time(load[1h]) > %s
    for: 30m
    labels: {severity: page}
    annotations: {summary: '{{ $labels.instance }} of {{ $externalLabels.site }} has {{ $value }}'}
"""
RECORDS = """- name: records
  interval: 1s
  limit: 1
  rules:
  - {record: 'hosts:load:sum', expr: 'sum(last_over_time(load[1h]))'}
  - {record: many, expr: 'last_over_time({__name__=~"load.*"}[1h])'}
"""


class Scene:
    def __init__(self, lab):
        self.clock, self.shift_s = clock_file(lab), 0
        self.rules = os.path.join(lab.dir, "rules.yml")
        self.write("groups:\n" + WAITS % 1 + RECORDS)
        self.c = lab.collector(extra=f"rules: [{self.rules}]\nexternal_labels: {{site: north, job: y}}\n", env={"FENWATCH_CLOCK_FILE": self.clock}).start()

    def write(self, text):
        with open(self.rules, "w") as f:
            f.write(text)

    def now(self):
        return time.time() + self.shift_s

    def at(self, shift_s):
        """So much later; what rules look at reaches back over it."""
        self.shift_s = shift_s
        set_clock(self.clock, int(shift_s * 1000))
        self.feed()

    def feed(self):
        series = [({"__name__": name, "instance": instance, "job": "x"}, [(int(self.now() * 1000), 2.0)])
                  for name, instance in (("load", "a-1"), ("loads", "a-2"))]
        send(f"http://127.0.0.1:{self.c.api}/api/v1/write", series, self.c.token)

    def alert(self, state):
        """The one alert once it is in that state, evaluated with the clock as it is now."""
        def look():
            groups = {g["name"]: g for g in self.c.get("/api/v1/rules")["groups"]}
            rule = groups["waits"]["rules"][0]
            check(seconds(rule["lastEvaluation"]) > self.now() - 30, f"evaluated lately: {rule}")
            alerts = [a for a in rule["alerts"] if a["state"] == state]
            return alerts and alerts[0]
        return until(20, f"it is {state}", look)


def scrape(c, question, accept):
    """(Content-Type, text) of /federate for one who reads such texts."""
    request = urllib.request.Request(f"http://127.0.0.1:{c.api}/federate?{urllib.parse.quote(question, '=[]')}",
                                     headers={"Accept": accept, "Authorization": "Bearer " + c.token})
    with urllib.request.urlopen(request, timeout=30) as reply:
        return reply.headers["Content-Type"], reply.read().decode()


def seconds(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def test_rules_over_a_restart_and_files_read_anew(lab):
    s = Scene(lab)
    c = s.c
    s.feed()
    since = seconds(s.alert("pending")["activeAt"])
    s.at(10 * MINUTE)
    check(seconds(s.alert("pending")["activeAt"]) == since, "it goes on waiting")
    until(10, "that is kept", lambda: c.query("ALERTS_FOR_STATE{alertname='Waits',instance='a-1',severity='page'}"))
    kept = float(c.query("ALERTS_FOR_STATE")[0]["value"][1])
    check(int(since) == kept, f"since when it waits: {kept}, {since}")

    # What rules give can be read before it is on the disk.
    time.sleep(2)
    # Ten of thirty minutes have passed; it is away for four, so that what it looks at first reaches back over it.
    c.kill()
    s.shift_s = 14 * MINUTE
    set_clock(s.clock, s.shift_s * 1000)
    c.start()
    s.feed()
    until(20, "what it waited for is known again", lambda: seconds(s.alert("pending")["activeAt"]) < s.now() - 5 * MINUTE)
    restored = seconds(s.alert("pending")["activeAt"])
    check(3.9 * MINUTE < restored - since < 4.9 * MINUTE, f"less the time between: {restored - since:.0f} s")
    s.at(33 * MINUTE)
    check(s.alert("pending")["state"] == "pending", "that it was away is not counted")
    s.at(37 * MINUTE)
    firing = s.alert("firing")
    check(seconds(firing["activeAt"]) == restored and firing["annotations"]["summary"] == "a-1 of north has 2", f"{firing}")
    check(firing["value"] == "2e+00" and firing["labels"] ==
          {"alertname": "Waits", "instance": "a-1", "job": "x", "severity": "page"}, f"as Prometheus has it: {firing}")
    until(10, "and as a series", lambda: [r["metric"]["alertstate"] for r in c.query("ALERTS")] == ["firing"])
    alerts = c.get("/api/v1/alerts")["alerts"]
    check([a for a in alerts if a["labels"]["alertname"] == "Waits"] == [firing], f"and in the list: {alerts}")

    text = c.request("/federate?match[]=load&match[]=hosts:load:sum")[1]
    check('load{instance="a-1",job="x",site="north"} 2' in text and 'hosts:load:sum{job="y",site="north",instance=""} 2' in text,
          f"who scrapes it is told which site it is: {text}")
    send(f"http://127.0.0.1:{c.api}/api/v1/write",
         [({"__name__": "heat.ü", "1.rack": "a", "instance": "a-1", "job": "x"}, [(int(s.now() * 1000), 2.0)])], c.token)
    ask = 'match[]={__name__=~"heat.*"}'
    kind, text = scrape(c, ask, "text/plain")
    check(kind.endswith("; escaping=underscores") and
          '# TYPE heat__ untyped\nheat__{__rack="a",instance="a-1",job="x",site="north"} 2' in text, f"{kind}: {text}")
    kind, text = scrape(c, ask, "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.6,*/*;q=0.1")
    check(kind.endswith("; escaping=allow-utf-8") and
          '{"heat.ü","1.rack"="a",instance="a-1",job="x",site="north"} 2' in text, f"{kind}: {text}")

    # One rule of the other group is over its limit; that holds up neither itself nor others.
    records = c.get("/api/v1/rules", **{"rule_group[]": "records"})["groups"][0]
    check([r["health"] for r in records["rules"]] == ["ok", "err"]
          and records["rules"][1]["lastError"] == "exceeded limit of 1 with 2 series", f"{records}")

    # A broken file changes nothing.
    s.feed()
    s.write("groups:\n" + WAITS % 1 + "  - {alert: Broken, expr: 'sum('}\n")
    s.c.reload("rules, feeds and register stay as they were")
    check("unclosed left parenthesis" in c.log() or "unexpected end of input" in c.log(), "it is said what is wrong")
    check([g["name"] for g in c.get("/api/v1/rules")["groups"]] == ["records", "waits"], "the old ones are at work")
    check(c.value("hosts:load:sum") == 2, "and record")

    # A good one: the alert lives on with its new expression, what no group gives any more ends.
    s.write("groups:\n" + WAITS % 1.5)
    s.c.reload("rules, feeds and register are read anew")
    until(10, "the group is gone", lambda: [g["name"] for g in c.get("/api/v1/rules")["groups"]] == ["waits"])
    check(c.query("hosts:load:sum") == [], "and with it what it recorded")
    check(c.query("last_over_time(hosts:load:sum[5m])"), "of which the past is there")
    now = s.alert("firing")
    rule = c.get("/api/v1/rules")["groups"][0]["rules"][0]
    check(rule["query"] == "last_over_time(load[1h]) > 1.5" and now["activeAt"] == firing["activeAt"], f"{rule}")
    s.write("groups:\n" + WAITS % 2.5)
    s.c.reload("rules, feeds and register are read anew")
    until(10, "it ends", lambda: c.query("ALERTS") == [] and c.get("/api/v1/rules")["groups"][0]["rules"][0]["alerts"] == [])


def test_rules_look_back_as_far_as_questions(lab):
    clock = clock_file(lab)
    rules = os.path.join(lab.dir, "rules.yml")
    with open(rules, "w") as f:
        f.write("groups:\n- name: back\n  interval: 1s\n  rules:\n"
                "  - {record: seen, expr: load}\n  - {record: was, expr: 'last_over_time(load[1h])'}\n")
    for lookback, seen in (("30s", 0), ("5m", 1)):
        set_clock(clock, 0)
        c = lab.collector(name=lookback, extra=f"rules: [{rules}]\nquery: {{lookback: {lookback}}}\n",
                          env={"FENWATCH_CLOCK_FILE": clock}).start()
        send(f"http://127.0.0.1:{c.api}/api/v1/write",
             [({"__name__": "load", "instance": "a-1", "job": "x"}, [(int(time.time() * 1000), 2.0)])], c.token)
        until(20, "the rules see it", lambda: c.query("seen"))
        set_clock(clock, 2 * MINUTE * 1000)
        later = time.time() + 2 * MINUTE

        def samples_since(name):
            return len(c.query(f"{name}[1m]", later + 30))
        until(20, "they are evaluated two minutes later", lambda: samples_since("was"))
        check(bool(samples_since("seen")) == bool(seen), f"a sample of two minutes ago, with a lookback of {lookback}")
        c.stop()


# ---- told of ----

def write_descriptors(root, allocated):
    with open(os.path.join(root, "proc/sys/fs/file-nr"), "r+") as f:
        f.write(f"{allocated}\t0\t1000               \n")


def test_the_desk_is_told_once_over_kills(lab):
    hook = lab.webhook()
    root, rules = os.path.join(lab.dir, "machine"), os.path.join(lab.dir, "rules.yml")
    shutil.copytree(os.path.join(MACHINES, "debian-12"), root, symlinks=True)
    write_descriptors(root, 100)
    with open(rules, "w") as f:
        f.write(DESCRIPTORS)
    clock = {"FENWATCH_CLOCK_FILE": clock_file(lab)}
    c = lab.collector(env=clock, extra=f"rules: [{rules}]\nfeeds: [{{name: desk, type: webhook, url: '{hook.url}', live: true}}]\n").start()
    agent = lab.agent(c, extra=f"root: {root}\n", env=clock).enrol().start()
    name = "NodeFileDescriptorLimit"

    def told():
        return [(body["status"], body["alerts"][0]["startsAt"]) for _, _, body in hook.notices(rule=name)]

    def listed():
        return c.alerts(rule=name)

    def healthy_evaluations(n):
        """So many more of the group, none with the alert."""
        def ended():
            return [g["evaluationTime"] is not None and g["lastEvaluation"] for g in c.get("/api/v1/rules")["groups"]]
        seen = set()
        until(30, f"{n} evaluations", lambda: seen.update(ended()) or len(seen) > n)

    until(30, "its descriptors are known", lambda: c.query("node_filefd_allocated"))
    healthy_evaluations(4)
    check(listed() == [] and told() == [], "a machine that is well has no alert")

    write_descriptors(root, 800)
    until(30, "the desk is told", told)
    alert = until(10, "it is listed", listed)[0]
    check(alert["state"] == "firing" and alert["severity"] == "critical" and alert["host"] == "agent", f"{alert}")
    check("unknown" not in alert and alert["annotations"]["description"] ==
          "File descriptors limit at agent is currently at 80.00%.", f"{alert}")
    first = told()
    check(len(first) == 1 and first[0][0] == "firing", f"once: {first}")
    body = hook.notices(rule=name)[0][2]
    check(body["groupKey"] == alert["key"] and body["alerts"][0]["annotations"]["summary"] ==
          "Kernel is predicted to exhaust file descriptors limit soon.", f"{body}")
    shown = c.cli("alerts")
    check(name in shown.stdout, shown.stdout)

    c.kill()
    c.start()
    healthy_evaluations(6)
    check([a["key"] for a in listed()] == [alert["key"]] and listed()[0]["since"] == alert["since"], f"it goes on: {listed()}")
    check(told() == first, f"and is not told again: {told()}")

    # Repaired while nobody looks.
    c.kill()
    write_descriptors(root, 100)
    c.start()
    until(60, "its end is told", lambda: len(told()) == 2)
    check(told()[1] == ("resolved", first[0][1]) and listed() == [], f"{told()}")
    healthy_evaluations(4)
    check(len(told()) == 2, f"once: {told()}")

    # While the machine is silent nothing is known, so nothing ends.
    write_descriptors(root, 900)
    until(30, "it is told of again", lambda: len(told()) == 3)
    agent.stop()
    until(30, "its silence is seen", lambda: c.alerts(rule="HostSilent"))
    set_clock(clock["FENWATCH_CLOCK_FILE"], 10 * MINUTE * 1000)
    until(30, "what the machine sent is too old to go on from", lambda: listed()[0].get("unknown") == "its host is not heard")
    check(len(told()) == 3, f"{told()}")
    write_descriptors(root, 100)
    agent.start()
    until(60, "its end is told when it speaks again", lambda: len(told()) == 4)
    check(told()[3][0] == "resolved", f"{told()}")


if __name__ == "__main__":
    main()
