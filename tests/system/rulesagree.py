#!/usr/bin/env python3
"""Rule files and their tests get the same verdict from fenwatch and from Debian's promtool.

usage: rulesagree.py BUILD-ROOT

What Prometheus 3.5 sees in another way than promtool 2.42 is listed apart, and is held to
3.5's answer. Speaks TAP.
"""
import os
import shutil
import subprocess
import sys
import tempfile

GROUP = "groups:\n- name: x\n  %s\n"
RULE = "groups:\n- name: x\n  rules: [%s]\n"
NOTE = "groups:\n- name: x\n  rules:\n  - alert: a\n    expr: up\n    annotations:\n      b: '%s'\n"

FILES = ["", "groups:\n", "groups: []\n", "groups: 1\n", "group: []\n", "groups: [{}]\n", "- a\n", "groups: [{name: x}, {name: x}]\n",
         "groups:\n- name: x\n---\nwhat: [\n", "groups: [{name: x, name: y}]\n", "groups: [null, {name: x}]\n", "{\n"]
FILES += [GROUP % s for s in (
    "interval: 1m", "interval: 5", "interval: '0'", "interval: ''", "interval:", "interval: 1h30", "interval: 1.5h", "interval: 1m1h",
    "interval: 1y2w3d4h5m6s7ms", "interval: -1m", "limit: 5", "limit: 5.5", "limit: '5'", "limit: 0x10", "limit: -3", "limit: 1e3",
    "limit: true", "rules: {}", "rules: null", "rules: [null]", "rules: [[]]", "ruls: []", "rules: [{}]")]
FILES += [RULE % s for s in (
    "{record: a, expr: up}", "{record: a, expr: up, for: 0s}", "{record: a, expr: up, for: 1m}", "{record: a, expr: up, keep_firing_for: 1m}",
    "{record: a.b, expr: up}", "{record: 'a:b', expr: up}", "{record: 1, expr: up}", "{record: a, expr: up, labels: {'a-b': x}}",
    "{record: a, expr: up, labels: {b: '{{ 1'}}", "{record: a, expr: up, annotations: {b: c}}", "{record: a, alert: b, expr: up}", "{expr: up}",
    "{alert: a}", "{alert: a, expr: ''}", "{alert: a, expr: null}", "{alert: null, expr: up}", "{alert: a, expr: up, for: 5m, keep_firing_for: 1h}",
    "{alert: a, expr: 'up =='}", "{alert: a, expr: '\"text\"'}", "{alert: a, expr: 'up[5m]'}", "{alert: a, expr: 'foo(up)'}", "{alert: a, expr: 'sum(up'}",
    "{alert: a, expr: 'rate(up)'}", "{alert: a, expr: '{}'}", "{alert: a, expr: up, labels: {__name__: x}}", "{alert: a, expr: up, annotations: {__name__: x}}",
    "{alert: a, expr: up, annotations: {'a-b': x}}", "{alert: a, expr: up, labels: {b: null}}", "{alert: a, expr: up, labels: {b: [1]}}",
    "{alert: a, expr: up, labels: {b: true, c: 1, d: 1.5}}", "{alert: a, expr: up, labels: []}", "{alert: a, expr: up, lables: {}}", "{alert: a, expr: 1}, {alert: a, expr: 2}",
    "&r {alert: a, expr: up}, {<<: *r, alert: b}", "{alert: a, expr: up, labels: &l {b: c}}, {alert: b, expr: up, labels: *l}", "{alert: a, expr: *none}")]
FILES += [NOTE % s for s in (
    "{{ $labels.x }} {{ $value }}", "{{ 1", "{{ }}", "{{ foo }}", "{{ $x }}", "{{ humanizee 1 }}", "{{ if true }}", "{{ end }}", "{{ else }}", "{{ break }}",
    "{{ if true }}{{ else if false }}{{ else }}{{ end }}", "{{ with 1 }}{{ else with 2 }}{{ end }}", "{{ range $a, $b := .x }}{{ $a }}{{ end }}",
    "{{ $a, $b := .x }}", "{{ 1 | 2 }}", "{{ (1) }}", "{{ (1 }}", "{{ nil }}", "{{ 1.2.3 }}", "{{ .x.1 }}", "{{- .x -}}", "{{-.x-}}", "{{/* c */}}", "{{ /* c */ }}",
    '{{ define "t" }}y{{ end }}{{ template "t" }}', '{{ if true }}{{ define "t" }}y{{ end }}{{ end }}', '{{ printf "%.2f" $value | toUpper }}', '{{ "open }}',
    "{{ $x := 1 }}{{ if $x }}{{ $y := 2 }}{{ end }}{{ $y }}", "}} {{ . }} }}")]

RULES = """groups:
- name: one
  rules:
  - {record: 'job:up:sum', expr: sum by (job) (up)}
  - alert: Down
    expr: up == 0
    for: 2m
    labels: {severity: page, how: '{{ if gt $value 1.0 }}much{{ else }}little{{ end }}'}
    annotations:
      summary: '{{ $labels.instance | stripPort | title }} of {{ $externalLabels.site }} is down: {{ $value | humanize }}'
  - {alert: Few, expr: 'job:up:sum < 2', keep_firing_for: 3m}
"""

TEST = """rule_files: [rules.yml]
tests:
- interval: 1m
  external_labels: {site: north}
  input_series:
  - {series: 'up{job="node",instance="web:9100"}', values: '1 0 0 0 0 1 1 1 1 1'}
  - {series: 'up{job="node",instance="db:9100"}', values: '1x10'}
%s"""
WEB = "exp_labels: {job: node, instance: 'web:9100', severity: page, how: little}, exp_annotations: {summary: 'Web of north is down: 0'}"

TESTS = [TEST % s for s in (
    "  alert_rule_test: [{eval_time: 2m, alertname: Down}]\n",
    "  alert_rule_test: [{eval_time: 3m, alertname: Down, exp_alerts: [{%s}]}]\n" % WEB,
    "  alert_rule_test: [{eval_time: 3m30s, alertname: Down, exp_alerts: [{%s}]}]\n" % WEB,
    "  alert_rule_test: [{eval_time: 3m, alertname: Down}]\n",
    "  alert_rule_test: [{eval_time: 3m, alertname: Down, exp_alerts: [{exp_labels: {job: other}}]}]\n",
    "  alert_rule_test: [{eval_time: 6m, alertname: Down}]\n",
    "  alert_rule_test: [{eval_time: 6m, alertname: Few, exp_alerts: [{exp_labels: {job: node}}]}]\n",
    "  alert_rule_test: [{eval_time: 8m, alertname: Few}]\n",
    "  alert_rule_test: [{eval_time: 3m}]\n",
    "  promql_expr_test: [{expr: 'job:up:sum', eval_time: 4m, exp_samples: [{labels: 'job:up:sum{job=\"node\"}', value: 1}]}]\n",
    "  promql_expr_test: [{expr: 'job:up:sum', eval_time: 4m, exp_samples: [{labels: 'job:up:sum{job=\"node\"}', value: 2}]}]\n",
    "  promql_expr_test: [{expr: 'ALERTS{alertstate=\"firing\",alertname=\"Down\"}', eval_time: 3m, exp_samples: "
    "[{labels: 'ALERTS{alertname=\"Down\",alertstate=\"firing\",how=\"little\",instance=\"web:9100\",job=\"node\",severity=\"page\"}', value: 1}]}]\n",
    "  promql_expr_test: [{expr: 'count(up)', eval_time: 1m, exp_samples: [{labels: '{}', value: 2}]}]\n",
    "  promql_expr_test: [{expr: 'sum(', eval_time: 1m}]\n",
    "  promql_expr_test: [{expr: 'absent(none)', eval_time: 1m, exp_samples: [{value: 1}]}]\n",
    "  promql_expr_test: [{expr: '0 / 0', eval_time: 1m, exp_samples: [{labels: '{}', value: .nan}]}]\n",
    "  promql_expr_test: [{expr: 'up', eval_time: 1}]\n",
    "  promql_expr_tset: []\n")]

# What 3.x changed: the file, and whether 3.5 takes it.
NEWER = [("a group has labels", GROUP % "labels: {a: b}", True),
         ("a group has an offset", GROUP % "query_offset: 1m", True),
         ("a number is a duration", RULE % "{record: a, expr: 'rate(up[300])'}", True),
         ("holt_winters has another name", RULE % "{record: a, expr: 'holt_winters(up[5m], 0.5, 0.5)'}", False)]
NEWER_TESTS = [("ranges are open on the left", TEST %
                "  promql_expr_test: [{expr: 'count_over_time(up{instance=\"db:9100\"}[2m])', eval_time: 5m, exp_samples: [{labels: '{instance=\"db:9100\",job=\"node\"}', value: 2}]}]\n"),
               ("the interval of series is that of evaluation", TEST.replace("- interval: 1m\n  external", "- external") %
                "  promql_expr_test: [{expr: 'sum(up)', eval_time: 2m, exp_samples: [{labels: '{}', value: 1}]}]\n")]


def verdict(program, *words):
    return subprocess.run([program, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60, check=False)


def compare(number, name, ours, theirs, text):
    same = (ours.returncode == 0) == (theirs.returncode == 0) and ours.returncode in (0, 1)
    print(f"{'ok' if same else 'not ok'} {number} - {name}")
    if not same:
        for line in (text + "\nfenwatch: " + ours.stdout + "\npromtool: " + theirs.stdout).splitlines():
            print("# " + line)
    return same


def main():
    ours, promtool = os.path.join(sys.argv[1], "cli/fenwatch"), shutil.which("promtool")
    if not promtool:
        print("1..0 # SKIP promtool is not installed")
        return
    folder, number, good, taken = tempfile.mkdtemp(), 0, True, 0
    path, test = os.path.join(folder, "file.yml"), os.path.join(folder, "test.yml")
    with open(os.path.join(folder, "rules.yml"), "w") as f:
        f.write(RULES)
    for verb, name, texts in (("check", path, FILES), ("test", test, TESTS)):
        for text in texts:
            number += 1
            with open(name, "w") as f:
                f.write(text)
            theirs = verdict(promtool, verb, "rules", name)
            taken += theirs.returncode == 0
            good &= compare(number, f"rules {verb}: {' '.join(text.split())[-70:]!r}".replace("#", "."), verdict(ours, "rules", verb, name), theirs, text)
    for what, text, takes in NEWER:
        number += 1
        with open(path, "w") as f:
            f.write(text)
        well = (verdict(ours, "rules", "check", path).returncode == 0) == takes and (verdict(promtool, "check", "rules", path).returncode == 0) != takes
        print(f"{'ok' if well else 'not ok'} {number} - 3.5 differs: {what}")
        good &= well
    for what, text in NEWER_TESTS:
        number += 1
        with open(test, "w") as f:
            f.write(text)
        done, theirs = verdict(ours, "rules", "test", test), verdict(promtool, "test", "rules", test)
        well = done.returncode == 0 and theirs.returncode == 1
        print(f"{'ok' if well else 'not ok'} {number} - 3.5 differs: {what}")
        if not well:
            print("# " + (done.stdout + theirs.stdout).replace("\n", "\n# "))
        good &= well
    number += 1
    mixed = 0 < taken < len(FILES) + len(TESTS)
    print(f"{'ok' if mixed else 'not ok'} {number} - both verdicts were met")
    print(f"1..{number}")
    shutil.rmtree(folder)
    sys.exit(0 if good and mixed else 1)


main()
