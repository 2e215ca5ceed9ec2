"""A host whose clock is not the collector's: what is judged of it, and who is told."""
from stage import check, clock_file, main, set_clock, until

MINUTE_MS = 60_000


def scene(lab, shift_ms):
    """A collector with a desk, and an agent whose clock is off by so much. Its memory is always too little."""
    hook = lab.webhook()
    rules = ", ".join(f"{rule}: {{hold: 0s}}" for rule in ("ClockBehind", "ClockAhead"))
    c = lab.collector(extra=f"feeds: [{{name: desk, type: webhook, url: '{hook.url}', live: true}}]\n"
                            f"builtin_rules: {{{rules}, MemoryAlmostGone: {{threshold: 100%, hold: 0s}}}}\n").start()
    clock = clock_file(lab, shift_ms)
    lab.agent(c, env={"FENWATCH_CLOCK_FILE": clock}).enrol().start()
    return c, hook, clock


def told(hook, status, rule):
    """The summary of the one notice of it."""
    until(30, f"{rule} is {status}", lambda: hook.notices(status, rule))
    notices = hook.notices(status, rule)
    check(len(notices) == 1, f"one notice: {notices}")
    return notices[0][2]["alerts"][0]["annotations"]["summary"]


def test_one_that_is_behind_is_told_until_it_is_right(lab):
    c, hook, clock = scene(lab, -7 * MINUTE_MS)
    summary = told(hook, "firing", "ClockBehind")
    check(summary == "agent: its clock is 7 minutes behind the collector's", summary)
    until(30, "it is up", lambda: c.value("up") == 1)
    check(not c.query("node_load1"), "what rules ask for now is not there")
    check(c.get("/api/fenwatch/v1/hosts")[0]["state"] == "warning", "it does not look well")
    told(hook, "firing", "MemoryAlmostGone")  # built-in rules look at what comes, whatever its time
    set_clock(clock, 0)
    told(hook, "resolved", "ClockBehind")
    until(30, "it is there", lambda: c.query("node_load1"))
    check(not hook.notices("firing", "ClockAhead"), "it never was ahead")


def test_one_that_is_ahead_is_told_until_it_is_right(lab):
    c, hook, clock = scene(lab, 20 * MINUTE_MS)
    summary = told(hook, "firing", "ClockAhead")
    check(summary == "agent: its clock is 20 minutes ahead of the collector's", summary)
    until(30, "its values are those of now", lambda: c.query("node_load1"))
    set_clock(clock, 6 * MINUTE_MS)
    until(30, "it is as far ahead as is stored", lambda: c.query("node_load1 offset -7m"))
    check(not hook.notices("resolved", "ClockAhead"), "it is ahead still")
    set_clock(clock, 0)
    told(hook, "resolved", "ClockAhead")
    check(not hook.notices("firing", "ClockBehind"), "it never was behind")


main()
