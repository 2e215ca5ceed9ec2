"""Who watches the watcher: one line and an exit status for another machine's checks."""
from stage import check, free_port, main, until


def test_a_check_from_elsewhere(lab):
    hook = f"http://127.0.0.1:{free_port()}/"
    c, _ = lab.pair()
    until(20, "it is well", lambda: c.cli("watch").returncode == 0)
    check(c.cli("watch").stdout.startswith("FENWATCH OK - 1 hosts, "), c.cli("watch").stdout)
    with open(c.config, "a") as f:
        f.write(f"feeds: [{{name: desk, type: webhook, url: '{hook}', live: true}}]\n")
    c.stop()
    said = c.cli("watch")
    check(said.returncode == 2 and "does not answer" in said.stdout, f"silence is the worst: {said}")
    c.start()
    until(30, "the desk's silence is noticed",
          lambda: c.cli("feed", "test", "desk") and "feed desk" in c.cli("watch").stdout)
    check(c.cli("watch").returncode == 2, c.cli("watch").stdout)
    c.stop()


main()
