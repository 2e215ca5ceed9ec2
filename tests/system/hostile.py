"""Hostile text in a host's name, a label and an annotation: through every desk's feed and every report."""
import json
import os
import time

from desks import Desks, Jira, ServiceNow
from samples import send
from stage import check, main, until

EVIL = 'x\r\nBcc: y\n\x1b[31m</td><script>alert(1)</script>","admin":"' + "'; -- {{ 1 }} %n \u202e\u2028"
FORMULA = "=cmd|'/c calc'!A1"
RULES = """groups:
- name: facts
  interval: 1s
  rules: [{alert: Full, expr: full == 1, annotations: {summary: '{{ $labels.instance }} {{ $labels.path }}'}}]
"""


def feeds_of(lab, desks, hook):
    for name, words in (("pw", "pw"), ("jira", "jira")):
        with open(os.path.join(lab.dir, name), "w") as f:
            f.write(words + "\n")
    url = f"http://127.0.0.1:{desks.port}"
    now = {"type": "servicenow", "user": "fenwatch", "password_file": os.path.join(lab.dir, "pw"), "live": True}
    return [dict(now, name="events", url=url + "/events"), dict(now, name="table", url=url + "/table", table="incident"),
            {"name": "jira", "type": "jira", "url": url + "/jira", "project": "OPS", "live": True,
             "token_file": os.path.join(lab.dir, "jira")},
            {"name": "hook", "type": "webhook", "url": hook.url, "live": True}]


def test_through_feeds_and_reports(lab):
    with open(os.path.join(lab.dir, "rules.yml"), "w") as f:
        f.write(RULES)
    desks, hook = Desks(events=ServiceNow(), table=ServiceNow(), jira=Jira()), lab.webhook()
    lab.closers.append(desks.close)
    c = lab.collector(extra=f"rules: [rules.yml]\nfeeds: {json.dumps(feeds_of(lab, desks, hook))}\n").start()

    def say(full):
        send(f"http://127.0.0.1:{c.api}/api/v1/write", [(
            {"__name__": "full", "instance": EVIL, "job": "x", "path": FORMULA}, [(int(time.time() * 1000), full)])], c.token)
    say(1.0)
    until(30, "every desk has it", lambda: hook.notices("firing", "Full") and all(v.opened for v in desks.vendors.values()))
    labels = hook.notices("firing", "Full")[0][2]["alerts"][0]["labels"]
    check(labels["instance"] == EVIL and labels["path"] == FORMULA, f"as it was, within its text: {labels}")
    until(30, "a ticket", lambda: c.get("/api/fenwatch/v1/tickets"))
    for words in (("alerts",), ("report", "sla"), ("report", "tickets", "--by", "host"), ("audit", "list")):
        shown = c.cli(*words).stdout
        check("x\\" in shown and not set("\x1b\r\u202e") & set(shown), f"{words}: {shown!r}")
        if words[0] != "report":
            continue
        page, table = c.cli(*words, "--html").stdout, c.cli(*words, "--csv").stdout
        check("<script>alert" not in page and "&lt;script" in page, f"{words} as a page: {page}")
        check(not set("\x1b\r\u202e") & set(page), f"{words} as a page has control characters: {page!r}")
        check(EVIL.split("\r")[0] in table and "\x1b" not in table, f"{words} as CSV: {table!r}")
    say(0.0)
    until(30, "every desk has its end", lambda: hook.notices("resolved", "Full") and all(v.closed for v in desks.vendors.values()))
    check(not desks.mistakes and all(len(v.opened) == 1 for v in desks.vendors.values()), f"{desks.mistakes}")


if __name__ == "__main__":
    main()
