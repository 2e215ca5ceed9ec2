"""Hostile text in a host's name, a rule's, a label and an annotation: through desks' feeds and reports."""
import csv
import io
import json
import os
import time
import urllib.parse
from xml.etree import ElementTree

import forecast
import patches
import wire
from desks import Desks, Jira, PagerDuty, ServiceNow
from listeners import ATOM, Reader, alertmanager, secret
from samples import send
from stage import check, main, until

EVIL = 'x\r\nBcc: y\n\x1b[31m</td><script>alert(1)</script>","admin":"' + "'; -- {{ 1 }} %n \u202e\u2028"
FORMULA = "=cmd|'/c calc'!A1"
RULES = """groups:
- name: facts
  interval: 1s
  rules:
  - {alert: Full, expr: full == 1, annotations: {summary: '{{ $labels.instance }} {{ $labels.path }}'}}
  - {alert: '@SUM(1+1)', expr: full == 1}
"""
CONTROLS = set("\x1b\r\u202e")


def safe_table(text, what):
    """Nothing in it is taken for a formula, or for a row that it is not."""
    rows = list(csv.reader(io.StringIO(text)))
    check(len({len(row) for row in rows}) == 1 and len(rows) > 1, f"{what}: rows of different lengths: {text!r}")
    check(not [cell for row in rows for cell in row if cell[:1] in "=+@\t" and cell], f"{what}: a formula in {text!r}")
    check(not CONTROLS & set(text), f"{what}: control characters in {text!r}")
    return rows


def safe_page(text, what):
    check("<script>alert" not in text and "&lt;script" in text, f"{what} as a page: {text}")
    check(not CONTROLS & set(text), f"{what} as a page has control characters: {text!r}")


def feeds_of(lab, desks, hook):
    for name, words in (("pw", "pw"), ("jira", "jira")):
        with open(os.path.join(lab.dir, name), "w") as f:
            f.write(words + "\n")
    url = f"http://127.0.0.1:{desks.port}"
    now = {"type": "servicenow", "user": "fenwatch", "password_file": os.path.join(lab.dir, "pw"), "live": True}
    mine = {"type": "pagerduty", "url": url + "/pager/v2/enqueue", "routing_key_file": secret(lab, "pager", "k" * 32)}
    return [dict(mine, name="pager", live=True),
            {"name": "shelf", "type": "pull", "token_file": secret(lab, "shelf", "shelf-secret"), "live": True},
            dict(now, name="events", url=url + "/events"), dict(now, name="table", url=url + "/table", table="incident"),
            {"name": "jira", "type": "jira", "url": url + "/jira", "project": "OPS", "live": True,
             "token_file": os.path.join(lab.dir, "jira")},
            {"name": "hook", "type": "webhook", "url": hook.url, "live": True}]


def check_what_is_fetched(c):
    """As it was in JSON; in Atom what XML cannot hold is U+FFFD."""
    reader = Reader(c, "shelf", "shelf-secret")
    until(20, "it can be read", lambda: reader.fetch_all() and [n for n in reader.got if n["labels"]["alertname"] == "Full"])
    notice = next(n for n in reader.got if n["labels"]["alertname"] == "Full")
    check(notice["labels"]["instance"] == EVIL and notice["labels"]["path"] == FORMULA, f"as it was: {notice}")
    page = reader.ask(after=0, format="atom")
    entries = list(ElementTree.fromstring(page).iter(ATOM + "entry"))
    check(len(entries) == len(reader.got), f"one entry each: {page}")
    text = "".join(ElementTree.fromstring(page).itertext())
    check("<script>alert(1)</script>" in text and b"<script>" not in page, f"within its text: {page}")
    check("\ufffd[31m" in text and b"\x1b" not in page, f"what XML cannot hold: {page}")


def test_through_alertmanager(lab):
    """Beside the others, as it keeps a while what has ended."""
    with open(os.path.join(lab.dir, "rules.yml"), "w") as f:
        f.write(RULES)
    hook = lab.webhook()
    url = alertmanager(lab, hook)
    c = lab.collector(extra="rules: [rules.yml]\nfeeds: " + json.dumps(
        [{"name": "am", "type": "alertmanager", "url": url, "live": True}]) + "\n").start()
    until(20, "it fires", lambda: say(c, 1.0) or hook.notices("firing", "Full"), 1)
    labels = hook.notices("firing", "Full")[0][2]["alerts"][0]["labels"]
    check(labels["instance"] == EVIL and labels["path"] == FORMULA, f"as it was: {labels}")
    say(c, 0.0)
    until(30, "its end", lambda: hook.notices("resolved", "Full"))
    feed = until(20, "nothing waits", lambda: [f for f in c.get("/api/fenwatch/v1/feeds") if f["waiting"] == 0])[0]
    check(feed["refused"] == 0, f"{feed}")


def test_of_a_filesystem_that_fills(lab):
    """A mount point that is a formula at its beginning, through the report on capacity. An agent's
    label with a control character is refused, so it has none."""
    mount = FORMULA + "".join(c for c in EVIL if c >= " ")
    forecast.SCHEMA = wire.Schema([(name, {"device": "/dev/sda", "fstype": "ext4", "mountpoint": where})
                                   for name in forecast.NAMES for where in (mount, "/var/log")])
    c = lab.collector(store="{raw: 16MiB, any_age: true}").start()
    filer = forecast.Filer(c, int(time.time() * 1000))
    filer.connect(c)
    filer.tell_history(28)
    c.stop()
    c.start()
    filer.connect(c)
    filer.send(int(time.time() * 1000), [forecast.cells(0)])
    rows = until(60, "it is forecast", lambda: (lambda found: len(found) > 1 and found)(
        list(csv.reader(io.StringIO(c.cli("report", "capacity", "--csv").stdout)))))
    check(any(cell.startswith("'" + FORMULA) for row in rows for cell in row), f"{rows}")
    safe_table(c.cli("report", "capacity", "--csv").stdout, "capacity")
    safe_page(c.cli("report", "capacity", "--html").stdout, "capacity")


def test_of_patches(lab):
    """A machine that calls its system so, and a register that calls its supplier so, through what is said of patches."""
    words = FORMULA + "".join(c for c in EVIL if c >= " " and c not in "\u202e\u2028'\"")
    os.makedirs(os.path.join(lab.dir, "register.d"))
    with open(os.path.join(lab.dir, "register.d/all.yml"), "w") as f:
        json.dump({"suppliers": [{"name": words}], "sites": [{"name": words}],
                   "hosts": [{"host": "agent", "supplier": words, "site": words, "owner": words}]}, f)
    release = f'ID="{words}"\nVERSION_ID="{words}"\nPRETTY_NAME="{words}"\n'
    c = lab.collector(extra="register: register.d/\n").start()
    patches.stage_host(lab, collector=c, os_release=release)
    until(60, "it is judged", lambda: patches.row(c).get("os"))
    shown = {}
    for words_of in (("patches",), ("patches", "agent"), ("report", "patch-compliance")):
        for form in ("", "--csv", "--html") if words_of[0] == "report" else ("",):
            shown[words_of, form] = c.cli(*words_of, *filter(None, [form])).stdout
            check(not CONTROLS & set(shown[words_of, form]), f"{words_of} {form}: {shown[words_of, form]!r}")
    table, page = (shown[("report", "patch-compliance"), form] for form in ("--csv", "--html"))
    check(any("'" + FORMULA in cell for row in safe_table(table, "patches") for cell in row), f"its words are there: {table}")
    check("<script>alert" not in page and not CONTROLS & set(page), f"patches as a page: {page}")


def say(c, full):
    send(f"http://127.0.0.1:{c.api}/api/v1/write", [(
        {"__name__": "full", "instance": EVIL, "job": "x", "path": FORMULA}, [(int(time.time() * 1000), full)])], c.token)


def test_through_feeds_and_reports(lab):
    with open(os.path.join(lab.dir, "rules.yml"), "w") as f:
        f.write(RULES)
    desks, hook = Desks(events=ServiceNow(), table=ServiceNow(), jira=Jira(), pager=PagerDuty()), lab.webhook()
    lab.closers.append(desks.close)
    c = lab.collector(extra=f"rules: [rules.yml]\nfeeds: {json.dumps(feeds_of(lab, desks, hook))}\n").start()

    say(c, 1.0)
    until(30, "every desk has it", lambda: hook.notices("firing", "Full") and all(len(v.opened) == 2 for v in desks.vendors.values()))
    labels = hook.notices("firing", "Full")[0][2]["alerts"][0]["labels"]
    check(labels["instance"] == EVIL and labels["path"] == FORMULA, f"as it was, within its text: {labels}")
    until(30, "tickets", lambda: len(c.get("/api/fenwatch/v1/tickets")) == 2)
    check_what_is_fetched(c)
    for words in (("alerts",), ("report", "sla"), ("report", "tickets", "--by", "host"), ("audit", "list")):
        shown = c.cli(*words).stdout
        check("x\\" in shown and not CONTROLS & set(shown), f"{words}: {shown!r}")
        if words[0] != "report":
            continue
        safe_page(c.cli(*words, "--html").stdout, words)
        check(EVIL.split("\r")[0] in c.cli(*words, "--csv").stdout, f"{words}")
        safe_table(c.cli(*words, "--csv").stdout, words)
    noisy = safe_table(c.cli("report", "tickets", "--by", "rule", "--csv").stdout, "noisy rules")
    check("'@SUM(1+1)" in [row[0] for row in noisy], f"a rule that is a formula: {noisy}")
    say(c, 0.0)
    until(30, "every desk has its end", lambda: hook.notices("resolved", "Full") and all(len(v.closed) == 2 for v in desks.vendors.values()))
    check(not desks.mistakes and all(len(set(v.opened)) == len(v.opened) == 2 for v in desks.vendors.values()), f"{desks.mistakes}")


if __name__ == "__main__":
    main()
