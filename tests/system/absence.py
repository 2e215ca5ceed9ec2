"""Who is not heard: a laptop that is off is away, a server is down."""
from stage import check, main, until


def state_of(collector, name):
    hosts = collector.get("/api/fenwatch/v1/hosts")
    return next((host["state"] for host in hosts if host["name"] == name), None)


def pace_is_known(collector, name):
    heard = collector.query(f'node_load1{{instance="{name}"}}[1m]')
    return heard and len(heard[0]["values"]) >= 5


def leave(lab, extra):
    collector = lab.collector(extra=extra).start()
    agents = {kind: lab.agent(collector, name=kind, host=kind, extra=f"class: {kind}\n")
              for kind in ("laptop", "server")}
    for kind, agent in agents.items():
        agent.enrol().start()
        until(60, f"the {kind} is up", lambda: collector.value(f'up{{instance="{kind}"}}') == 1)
    for kind, agent in agents.items():
        until(60, f"the pace of the {kind} is known", lambda: pace_is_known(collector, kind))
        agent.stop()
    return collector


def test_a_laptop_is_away_and_a_server_is_down(lab):
    collector = leave(lab, "builtin_rules: {HostSilent: {hold: 0s}}\n")
    until(90, "the laptop is away", lambda: state_of(collector, "laptop") == "away")
    until(90, "the server is silent", lambda: state_of(collector, "server") == "silent")
    until(90, "the server is down", lambda: collector.value('up{instance="server"}') == 0)
    check(not collector.query('up{instance="laptop"}'), "nobody says that the laptop is down")
    check(collector.value('fenwatch_host_away{instance="laptop"}') == 1, "away, as a series")
    alerts = collector.alerts()
    check([a["host"] for a in alerts if a["rule"] == "HostSilent"] == ["server"], str(alerts))
    shown = collector.cli("host", "laptop")
    check(shown.returncode == 0 and "away" in shown.stdout, shown.stdout)


def test_a_laptop_is_down_where_it_may_not_be_away(lab):
    collector = leave(lab, "absence: {laptop: 0s}\nbuiltin_rules: {HostSilent: {hold: 0s}}\n")
    until(90, "the laptop is silent", lambda: state_of(collector, "laptop") == "silent")
    until(90, "the laptop is down", lambda: collector.value('up{instance="laptop"}') == 0)


main()
