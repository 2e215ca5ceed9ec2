"""What the register says of a host: on its page, as a series, and otherwise after SIGHUP."""
import json
import os

from stage import check, main, until

SITES = """
sites:
  - {name: County, calendar: office, address: "Newland, Lincoln"}
  - {name: Boston fire station, parent: County, tier: blue-light, links: [bos-rtr1], telephone: 01205 000000}
suppliers:
  - {name: Contoso, contacts: [{name: Duty desk, telephone: 01522 000000, mail: desk@contoso.example}]}
"""
HOSTS = "host,site,supplier,owner,purpose\nweb01,Boston fire station,Contoso,Fire and Rescue,\"mobilising, maps\"\n"


# A file of each kind of mistake, and words of the one sentence that the log has of it.
MISTAKES = [
    ("bad.yml", "sites: [", "expected node content"),
    ("bad.yml", "site: []", "did you mean 'sites'?"),
    ("bad.yml", "sites: [{name: A, parent: Countie}]", "did you mean 'County'?"),
    ("bad.yml", "sites: [{name: A, parent: B}, {name: B, parent: A}]", "circle"),
    ("bad.yml", "sites: [{name: County}]", "site 'County' stands in"),
    ("bad.yml", "suppliers: [{name: A, contacts: [{telephone: 1}]}]", "'name' is missing"),
    ("bad.yml", "calendars: [{name: late, hours: {fri: '22:00-02:00'}}]", "past midnight"),
    ("bad.yml", "priorities: {matrix: [[P1]]}", "a row each for impact"),
    ("bad.yml", "targets: [{priority: P7, resolve: 1h}]", "not 'P7'"),
    ("bad.yml", "maintenance: [{name: A, hosts: [web01]}]", "'hours', 'days' or both"),
    ("bad.yml", "hosts: [{match: {instance: '('}, owner: A}]", "is no expression"),
    ("bad.yml", "hosts: [{host: web01, owner: A}]", "host 'web01' stands in"),
    ("bad.yml", "licences: [{name: A, packages: ['*'], entitled: 1}]", "is no package"),
    ("bad.csv", "host,rak\nweb02,7\n", "did you mean 'rack'?"),
    ("bad.csv", "host,rack\nweb02,\"7\n", "2 fields are expected"),
    ("bad.yml", "#" * (1 << 20) + "\n", "bad.yml"),
    ("bad.yml", "a: b\xff\x00", "bad.yml"),
]


def put(lab, name, text):
    with open(os.path.join(lab.dir, "register.d", name), "w") as f:
        f.write(text)


def known(c):
    """The labels of the one series that stands now."""
    found = c.query('fenwatch_host_info{instance="web01"}')
    return [{name: value for name, value in one["metric"].items() if name in
             ("class", "owner", "site", "supplier", "tier")} for one in found]


def test_a_host_is_as_the_register_has_it(lab):
    os.makedirs(os.path.join(lab.dir, "register.d"))
    put(lab, "sites.yml", SITES)
    put(lab, "hosts.csv", HOSTS)
    c = lab.collector(extra="register: register.d/\n").start()
    lab.agent(c, name="web01", host="web01").enrol().start()
    station = {"class": "server", "owner": "Fire and Rescue", "site": "Boston fire station", "supplier": "Contoso",
               "tier": "blue-light"}
    until(30, "the series about it", lambda: known(c) == [station])
    check(c.get("/api/fenwatch/v1/hosts")[0]["site"] == "Boston fire station", "its site in the list")
    page = c.cli("host", "web01")
    for line in ("site      Boston fire station", "tier      blue-light", "purpose   mobilising, maps",
                 "  Duty desk, 01522 000000, desk@contoso.example"):
        check(line in page.stdout, f"'{line}' on its page: {page.stdout}")
    said = json.loads(c.cli("--json", "host", "web01").stdout)["register"]
    check([one["name"] for one in said["sites"]] == ["Boston fire station", "County"], f"up the tree: {said}")

    put(lab, "hosts.csv", HOSTS.replace("Boston fire", "Bosten fire"))
    c.reload("'hosts.csv', line 2: there is no site 'Bosten fire station'; did you mean 'Boston fire station'?; rules")
    check(known(c) == [station], "a mistake changes nothing")
    put(lab, "hosts.csv", HOSTS)
    wrong = []
    for name, text, words in MISTAKES:
        put(lab, name, text)
        before = len(c.log())
        c.reload("stay as they were")
        lines = [line for line in c.log()[before:].splitlines() if "stay as they were" in line]
        wrong += [(words, lines)] * (len(lines) != 1 or words not in lines[0])
        os.unlink(os.path.join(lab.dir, "register.d", name))
    check(not wrong, f"one sentence each: {wrong}")
    check(known(c) == [station] and "Boston fire station" in c.cli("host", "web01").stdout, "the old register stays")
    put(lab, "hosts.csv", HOSTS.replace("Boston fire station,", "County,"))
    c.reload("read anew")
    county = dict(station, site="County", tier="standard")
    until(10, "the other series, and it alone", lambda: known(c) == [county])
    until(20, "it is up", lambda: c.value('up{instance="web01"}') == 1)
    c.stop()


def test_a_retired_host_leaves_only_its_record(lab):
    c = lab.collector().start()
    agent = lab.agent(c, name="web01", host="web01").enrol().start()
    until(30, "it is there", lambda: c.value('up{instance="web01"}') == 1)
    check("retired web01" not in c.cli("retire").stdout, "nobody is retired")
    check("web01 is retired" in c.cli("retire", "web01", "--reason", "sold").stdout, "it is retired")
    check("retired already" in c.cli("retire", "web01").stderr, "once")
    until(20, "its agent is revoked", lambda: "revoked" in c.cli("agent", "list").stdout)
    c.kill()
    c.start()
    check("sold" in c.cli("retire").stdout, "who, when and why: " + c.cli("retire").stdout)
    check("retired" in c.cli("hosts").stdout, "shown as such: " + c.cli("hosts").stdout)
    check(c.cli("report", "patch-compliance", "--csv").stdout.count("web01") == 0, "not counted")
    check(c.query('count_over_time(up{instance="web01"}[1h])'), "its samples are there")
    check("in service again" in c.cli("retire", "web01", "--undo").stdout, "it is taken back")
    agent.stop()
    agent.start()
    until(30, "it is there again", lambda: c.value('up{instance="web01"}') == 1)
    kinds = [one["kind"] for one in c.get("/api/fenwatch/v1/audit?subject=web01")]
    check(kinds == ["retired", "returned"], f"the audit trail: {kinds}")
    c.stop()


main()
