"""The agent harms nobody: it is small, stays small, comes last, and says when it was too much."""
import os
import re
import subprocess
import time

from stage import check, main, until


def proc(pid, name):
    with open(f"/proc/{pid}/{name}") as f:
        return f.read()


def counts(pid):
    return len(os.listdir(f"/proc/{pid}/fd")), len(os.listdir(f"/proc/{pid}/task"))


def wait_for_sweeps(collector, agent, n):
    def enough():
        status, answer = collector.request(
            f'/api/v1/query?query=process_open_fds%7Binstance%3D%22{agent.host}%22%7D%5B10m%5D')
        values = answer["data"]["result"][0]["values"] if status == 200 and answer["data"]["result"] else []
        return len(values) >= n
    until(60, f"{n} sweeps are stored", enough, 0.5)


def test_descriptors_and_threads_do_not_grow(lab):
    collector = lab.collector().start()
    agent = lab.agent(collector, extra="sources: {packages: {every: 60s}}\n").enrol()
    agent.start()
    wait_for_sweeps(collector, agent, 5)
    before = counts(agent.child.pid)
    wait_for_sweeps(collector, agent, 20)
    # A slow source that is being read has a pipe.
    until(20, f"as many descriptors and threads as before ({before})",
          lambda: counts(agent.child.pid)[0] <= before[0] + 1 and counts(agent.child.pid)[1] <= before[1], 0.2)


def children_of(pid):
    for other in filter(str.isdigit, os.listdir("/proc")):
        try:
            fields = proc(other, "stat").rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            yield int(other), int(fields[16])


def priority_of(pid):
    """(nice, I/O class) of the first child that has taken its place, or None."""
    for child, nice in children_of(pid):
        said = subprocess.run(["ionice", "-p", str(child)], capture_output=True, text=True).stdout
        if nice and "idle" in said:
            return nice, said.strip()
    return None


def test_slow_sources_come_last(lab):
    collector = lab.collector().start()
    agent = lab.agent(collector).enrol()
    agent.start()
    seen = until(20, "a child is at work", lambda: priority_of(agent.child.pid), 0.002)
    nice, said = seen
    check(nice == 10 and said == "idle", f"nice {nice}, ionice {said}")


def test_an_agent_that_grew_ends_with_the_reason(lab):
    collector = lab.collector().start()
    agent = lab.agent(collector, env={"FENWATCH_MEMORY_LIMIT": "1000000"}).enrol()
    agent.start()
    until(20, "it has ended", lambda: not agent.alive())
    check(agent.child.returncode == 1, f"exit status {agent.child.returncode}")
    check(re.search(r"\d+ KiB of memory is more than an agent may have \(976\)", agent.log()), agent.log()[-500:])
    # What it had sampled is stored when it comes again; and without the limit it stays.
    agent.env = {}
    agent.start()
    wait_for_sweeps(collector, agent, 3)
    check(agent.alive(), "without the limit it goes on")


def stanza(i, description):
    return (f"Package: synthetic-{i}\nStatus: install ok installed\nArchitecture: amd64\n"
            f"Version: 1.{i}-1\nDescription: {description}\n\n").encode()


def printed(lab, root):
    config = os.path.join(lab.dir, "print.yml")
    with open(config, "w") as f:
        f.write(f"name: huge\ndata: {lab.dir}/data\ncollectors: [\"127.0.0.1:1\"]\nroot: {root}\n")
    began = time.time()
    done = subprocess.run([lab.program("agent"), "--config", config, "--print", "packages"],
                          capture_output=True, text=True, timeout=100, errors="replace")
    print(f"# {time.time() - began:.1f} s")
    return done


def tree(lab, name):
    root = os.path.join(lab.dir, name)
    for folder in ("var/lib/dpkg", "var/lib/apt/lists", "proc", "etc"):
        os.makedirs(os.path.join(root, folder))
    return root


def test_a_status_file_of_100_mib_with_binary_in_it_and_cut_short(lab):
    root = tree(lab, "huge")
    filler = "x" * 20000
    with open(f"{root}/var/lib/dpkg/status", "wb") as f:
        for i in range(5300):
            f.write(stanza(i, filler))
            if i % 1000 == 999:
                f.write(bytes(range(256)) * 8 + b"\n\n")
        f.write(stanza(9999, filler)[:-8000])
    check(os.path.getsize(f"{root}/var/lib/dpkg/status") > 100 << 20, "it has 100 MiB")
    done = printed(lab, root)
    check(done.returncode == 0 and "Sanitizer" not in done.stderr, f"{done.returncode}: {done.stderr[-800:]}")
    check("fenwatch_patch_source_ok" in done.stdout, done.stdout[-500:])
    ok = re.search(r"^fenwatch_patch_source_ok\S* (\S+)$", done.stdout, re.M)
    check(ok and ok.group(1) == "0", f"without lists nothing is proven: {ok and ok.group(0)}")
    pending = re.findall(r"^(?:apt_upgrades_pending|fenwatch_patch_pending)\S* 0$", done.stdout, re.M)
    check(not pending, f"never 0 pending: {pending}")


main()
