#!/usr/bin/env python3
"""docs/privacy.md is what the agent's tables say, and covers what it sends.

usage: test_privacy.py AGENT PRIVACY.md MACHINES

MACHINES is the folder of recorded machines. Speaks TAP.
"""
import os
import re
import subprocess
import sys
import tempfile


def run(agent, *words):
    return subprocess.run([agent, *words], capture_output=True, text=True, check=True).stdout


def print_of(agent, tree):
    with tempfile.NamedTemporaryFile("w", suffix=".yml") as config:
        config.write(f"root: {tree}\nclass: server\n")
        config.flush()
        return run(agent, "--config", config.name, "--print")


def named_by_files(tree):
    """Series that the house's own scripts name in the recorded text files."""
    folder = os.path.join(tree, "var/lib/prometheus/node-exporter")
    names = set()
    for file in os.scandir(folder) if os.path.isdir(folder) else []:
        with open(file.path) as text:
            names |= set(re.findall(r"^([a-z]\w+)", text.read(), re.M))
    return names


def sources_of(agent):
    return [line.split()[0] for line in run(agent, "--list-sources").splitlines()]


def check_page_is_the_tables(agent, page, trees):
    made = run(agent, "--privacy")
    assert page == made, f"it differs: {agent} --privacy > docs/privacy.md"


def check_page_names_every_source(agent, page, trees):
    headings = re.findall(r"^## ([a-z_0-9]+)$", page, re.M)
    assert headings == sources_of(agent), headings


def check_page_names_every_series_printed(agent, page, trees):
    assert len(trees) >= 4
    for tree in trees:
        names = re.findall(r"^# TYPE (\S+)", print_of(agent, tree), re.M)
        missing = [name for name in names
                   if f"| `{name}` |" not in page and name not in named_by_files(tree)]
        assert names and not missing, f"{tree}: {missing}"


def check_page_names_every_table_printed(agent, page, trees):
    found = set()
    for tree in trees:
        found |= set(re.findall(r"^# INVENTORY (\S+) ", print_of(agent, tree), re.M))
    missing = [kind for kind in found if f"- Inventory: `{kind}`" not in page]
    assert found and not missing, missing


def check_every_source_explains_itself(agent, page, trees):
    for name in sources_of(agent):
        said = run(agent, "--explain", name)
        for word in ("why", "reads", "how often", "needs", "on here"):
            assert re.search(rf"^{word} +\S", said, re.M), f"{name}: {word}"
        series = re.findall(rf"^  ([a-z]\w+)$", said, re.M)
        assert all(f"| `{one}` |" in page for one in series), name


CHECKS = [check_page_is_the_tables, check_page_names_every_source,
          check_page_names_every_series_printed, check_page_names_every_table_printed,
          check_every_source_explains_itself]


def main():
    agent, page, machines = sys.argv[1:]
    with open(page) as file:
        text = file.read()
    trees = sorted(entry.path for entry in os.scandir(machines) if entry.is_dir())
    failed = 0
    print(f"1..{len(CHECKS)}")
    for number, check in enumerate(CHECKS, 1):
        name = check.__name__.removeprefix("check_").replace("_", " ")
        try:
            check(agent, text, trees)
            print(f"ok {number} - {name}")
        except (AssertionError, subprocess.CalledProcessError) as why:
            failed += 1
            print(f"not ok {number} - {name}\n# {why}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
