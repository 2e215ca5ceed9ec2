"""Plugins run as a user of their own: what that keeps from them, and that none outlives who asked for it."""
import os
import pwd
import shutil
import signal
import socket
import subprocess
import threading

from checker import Checker, run, script
from stage import check, main, skip, succeeds, until

CHECKS_USER, CHECKS_GROUP = "nobody", "nogroup"  # in place of fenwatch-check
USER = "news"  # in place of fenwatch-plugins; nothing else runs as it


def as_user(name, group):
    return ["setpriv", f"--reuid={name}", f"--regid={group}", "--clear-groups", "--no-new-privs"]


def need_users(lab):
    if os.geteuid() != 0 or not succeeds(*as_user(USER, USER), lab.program("check"), "--version"):
        skip("needs root, whose programs others may run")
    os.chmod(lab.dir, 0o711)


class Unit:
    """What systemd does for fenwatch-check-plugins.socket: a runner for each connection, as a user of its own."""

    def __init__(self, lab, config, late_s=0):
        self.path, self.runners = os.path.join(lab.dir, "plugins.sock"), []
        late = ["sh", "-c", f'sleep {late_s}; exec "$@"', "late"] if late_s else []
        self.argv = [*late, *as_user(USER, USER), lab.program("check"), "plugins", "--config", config]
        self.log = os.path.join(lab.dir, "runner.log")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.bind(self.path)
        os.chmod(self.path, 0o660)
        shutil.chown(self.path, "root", CHECKS_GROUP)
        self.socket.listen(8)
        threading.Thread(target=self.serve, daemon=True).start()
        lab.closers.append(self.close)

    def serve(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            with connection, open(self.log, "ab") as log:
                self.runners.append(subprocess.Popen(self.argv, stdin=connection, stdout=log, stderr=log))

    def close(self):
        self.socket.close()
        for runner in self.runners:
            runner.kill()
            runner.wait()


def guarded(lab, name, command, agent=None, more="", user=USER, of=None, every=10):
    """fenwatch-check with one plugin that runs as `user`, where it may choose; it is one of CHECKS_USER's, or root's."""
    checker = Checker(lab, {name: f"type: plugin, every: {every}s, timeout: {every}s, command: [{command}]"}, agent, more, user)
    checker.argv = [*(as_user(of, CHECKS_GROUP) if of else []), *checker.argv]
    return checker


def once(checker, name):
    """(the state and the line it printed, standard error)"""
    done = run(checker.lab.program("check"), "--config", checker.config, "test", name)
    check("Sanitizer" not in done.stderr and "runtime error" not in done.stderr, done.stderr)
    return done.stdout.splitlines()[-1].removeprefix(f"# {name} is "), done.stderr


def pair(lab):
    c = lab.collector().start()
    a = lab.agent(c, group=CHECKS_GROUP).enrol().start()
    a.wait_probe()
    return c, a


def told(c, name):
    """The latest first."""
    return [e["fields"]["text"] for e in c.get("/api/fenwatch/v1/events", kind="check") if e["fields"]["check"] == name]


def looking(lab, agent):
    """A plugin that tries what it must not be able to, and says what it could."""
    secret = os.path.join(lab.dir, "secret")
    with open(secret, "w") as f:
        f.write("canary\n")
    os.chmod(secret, 0o640)
    shutil.chown(secret, "root", CHECKS_GROUP)
    return script(lab, "looks", f"""
can() {{ if "$@" >/dev/null 2>&1; then echo yes; else echo no; fi; }}
while [ ! -e {lab.dir}/pid ]; do sleep 0.1; done
pid=$(cat {lab.dir}/pid)
echo "uid $(id -u), groups $(id -G), secret $(can cat {secret}), signal $(can kill -0 $pid), \
look $(can cat /proc/$pid/environ), agent $(can test -w {agent.probe}), privileges $(grep -c 'NoNewPrivs:.1' /proc/self/status), \
capabilities $(grep -E 'Cap(Eff|Prm|Amb)' /proc/self/status | grep -vc 0000000000000000)"; exit 1""")


def test_what_a_plugin_may_not(lab):
    need_users(lab)
    c, a = pair(lab)
    checker = guarded(lab, "looks", looking(lab, a), a, of=CHECKS_USER)

    def says():
        seen, path = len(told(c, "looks")), os.path.join(lab.dir, "pid")
        if os.path.exists(path):
            os.unlink(path)
        checker.start()
        with open(path + ".new", "w") as f:
            f.write(str(checker.child.pid))
        os.rename(path + ".new", path)
        until(30, "what it could", lambda: len(told(c, "looks")) > seen)
        return told(c, "looks")[0]
    theirs, ours = pwd.getpwnam(USER), pwd.getpwnam(CHECKS_USER)
    free = says()
    check(free == f"uid {ours.pw_uid}, groups {ours.pw_gid}, secret yes, signal yes, look yes, agent yes, privileges 1, "
          "capabilities 0", f"the control, who has no runner of another user: {free}")
    said = checker.log()
    check(said.count("not as a user of their own") == 1 and "nobody listens" in said and "only root can become" in said, said)
    check(checker.stop() == 0, "it ends well")
    unit = Unit(lab, checker.config)
    bound = says()
    check(bound == f"uid {theirs.pw_uid}, groups {theirs.pw_gid}, secret no, signal no, look no, agent no, privileges 1, "
          "capabilities 0", f"it could: {bound}")
    check(checker.log().count("not as a user of their own") == 1, "of that nothing more is said")
    check(checker.stop() == 0 and unit.runners[0].wait(60) == 0, "with it its runner ends")


def test_root_has_them_run_as_another(lab):
    need_users(lab)
    command = script(lab, "who", "echo $(id -u) $(id -G)")
    numbers = f"{pwd.getpwnam(USER).pw_uid} {pwd.getpwnam(USER).pw_gid}"
    for user, wanted, sentence in ((USER, numbers, ""), ("root", "0 0", ""), ("nobody-at-all", "0 0", "there is no user 'nobody-at-all'")):
        state, said = once(guarded(lab, "who", command, user=user), "who")
        check(state == "ok: " + wanted and sentence in said and (sentence or not said), f"{user}: {state} {said}")


FORKS = """
import os, time
n = 0
try:
    while n < 200:
        if os.fork() == 0:
            time.sleep(300)
            os._exit(0)
        n += 1
except OSError:
    pass
print(n)"""


def processes_of(user):
    return subprocess.run(["pgrep", "-u", user], capture_output=True, text=True).stdout.split()


def test_a_bomb_of_forks_stays_small(lab):
    need_users(lab)
    bomb = script(lab, "bomb", FORKS, "/usr/bin/python3")

    def forked(user):
        state, said = once(guarded(lab, "bomb", bomb, more="plugins_at_once: 1\n", user=user, every=30), "bomb")
        check(state.startswith("ok: "), f"{state} {said}")
        return int(state.removeprefix("ok: "))
    check(forked("root") == 200, "the control, of a user whose processes are not counted")
    check(16 < forked(USER) < 64, "it has so many, and no more")
    until(10, "and none is left of it", lambda: not processes_of(USER))


def hanging(lab):
    place = os.path.join(lab.dir, "place")
    os.mkdir(place)
    os.chmod(place, 0o777)
    return script(lab, "hangs", f"sleep 300 & echo $$ $! $PPID > {place}/new; mv {place}/new {place}/pids; wait"), place


def pids_in(place):
    with open(os.path.join(place, "pids")) as f:
        return [int(word) for word in f.read().split()]


def runs(pid):
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def none_outlives(checker, place):
    """Killed, it can tidy nothing: its runner does, and one that is stopped does not."""
    checker.start()
    plugin, child, runner = until(30, "it hangs", lambda: pids_in(place))
    os.kill(runner, signal.SIGSTOP)
    checker.kill()
    check(runs(plugin) and runs(child), "the control: its runner is stopped, and it goes on")
    os.kill(runner, signal.SIGCONT)
    until(10, "all is gone", lambda: not any(runs(pid) for pid in (plugin, child, runner)))


def test_a_check_that_is_killed_leaves_no_plugin(lab):
    need_users(lab)
    command, place = hanging(lab)
    none_outlives(guarded(lab, "hangs", command), place)


def test_nor_does_one_whose_plugins_a_unit_runs(lab):
    need_users(lab)
    command, place = hanging(lab)
    checker = guarded(lab, "hangs", command, of=CHECKS_USER)
    unit = Unit(lab, checker.config)
    none_outlives(checker, place)
    check(unit.runners[0].wait(60) == 0, "it ends well")


def test_a_runner_that_is_killed_is_said_and_made_anew(lab):
    need_users(lab)
    c, a = pair(lab)
    turn = os.path.join(lab.dir, "turn")
    command = script(lab, "says", f"if [ -e {turn} ]; then exec sleep 300; fi; echo well")
    checker = guarded(lab, "says", command, a, of=CHECKS_USER)
    unit = Unit(lab, checker.config)
    checker.start()
    until(30, "it is well", lambda: c.value("fenwatch_plugin_status") == 0)
    open(turn, "w").close()
    until(30, "it hangs", lambda: subprocess.run(["pgrep", "-u", USER, "sleep"], capture_output=True).returncode == 0)
    unit.runners[0].kill()
    until(30, "that is said", lambda: "who runs plugins has ended; its log says why" in told(c, "says"))
    os.unlink(turn)
    until(30, "and it is well again", lambda: c.value("fenwatch_plugin_status") == 0 and len(unit.runners) >= 2)
    check("not as a user of their own" not in checker.log(), "by another of that user, never by itself")
    check(checker.stop() == 0, "it ends well")


def test_a_runner_that_is_late_gives_no_plugin_our_rights(lab):
    """A machine that boots takes its time; and a signal comes while its first word is waited for."""
    need_users(lab)
    c, a = pair(lab)
    checker = guarded(lab, "who", script(lab, "who", "echo $(id -u)"), a, of=CHECKS_USER, every=5)
    unit = Unit(lab, checker.config, late_s=8)
    checker.start()
    until(30, "it is asked for", lambda: unit.runners)
    checker.child.send_signal(signal.SIGHUP)
    until(60, "it has run one", lambda: str(pwd.getpwnam(USER).pw_uid) in told(c, "who"))
    check("not as a user of their own" not in checker.log(), checker.log())
    check(checker.stop() == 0, "it ends well")


def test_a_runner_that_ends_at_once_gives_no_plugin_our_rights(lab):
    """As where another process of its user ends it, or where it may not read the configuration."""
    need_users(lab)
    c, a = pair(lab)
    checker = guarded(lab, "who", script(lab, "who", "echo $(id -u)"), a, of=CHECKS_USER, every=5)
    unit = Unit(lab, checker.config)
    runner, unit.argv = unit.argv, ["false"]
    checker.start()
    until(60, "that is said, and it is asked anew", lambda: len(unit.runners) > 2 and
          told(c, "who")[:1] == ["who runs plugins has ended; its log says why"])
    unit.argv = runner
    until(30, "it has run one", lambda: told(c, "who")[0] == str(pwd.getpwnam(USER).pw_uid))
    check(str(pwd.getpwnam(CHECKS_USER).pw_uid) not in told(c, "who"), f"never by itself: {told(c, 'who')}")
    check(checker.stop() == 0, "it ends well")


main()
