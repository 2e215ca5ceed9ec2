#!/usr/bin/env python3
"""What is installed to explain the configuration is true.

usage: test_samples.py [--OPTION] PROGRAM SAMPLE MANUAL [LINE]

OPTION is one of the program's, which asks for another configuration of it.
LINE is what has no default and a person must fill in, /nowhere in it a file that opens something. With it the sample is accepted by its program, as it stands and with every key that has
a default taken out of its comment; a misspelt key is not. The manual's source
speaks of every key. Speaks TAP.
"""
import os
import re
import subprocess
import sys
import tempfile


def accepts(program, text):
    """(whether, what it said) of a configuration with its data in a folder of the test."""
    with tempfile.TemporaryDirectory() as folder:
        path, secret = f"{folder}/sample.yml", f"{folder}/secret"
        with open(secret, "w", opener=lambda name, flags: os.open(name, flags, 0o640)) as file:
            file.write("user: somebody\nauth: a long password\n")
        with open(path, "w") as sample:
            sample.write(re.sub(r"^data: .*$", f"data: {folder}/data", text, flags=re.M).replace("/nowhere", secret))
        done = subprocess.run([*program, "--check-config", "--config", path], capture_output=True, text=True)
        return done.returncode == 0, done.stdout + done.stderr


def keys(text):
    return re.findall(r"^ *#?([a-z_]+):", text, re.M)


def taken_out(text):
    return re.sub(r"^( *)#([a-z_]+: )", r"\1\2", text, flags=re.M)


def check_sample_is_accepted(program, text, manual):
    good, said = accepts(program, text)
    assert good, said


def check_every_default_is_accepted(program, text, manual):
    assert taken_out(text) != text
    good, said = accepts(program, taken_out(text))
    assert good, said


def check_misspelt_key_is_not(program, text, manual):
    key = re.findall(r"^#?([a-z_]+):", text, re.M)[0]
    good, said = accepts(program, re.sub(rf"^#?{key}:", f"{key}x:", text, flags=re.M))
    assert not good and f"did you mean '{key}'?" in said, said


def check_manual_speaks_of_every_key(program, text, manual):
    missing = [key for key in keys(text) if f"*{key}*" not in manual]
    assert len(keys(text)) > 1 and not missing, f"missing: {missing}"


CHECKS = [check_sample_is_accepted, check_every_default_is_accepted, check_misspelt_key_is_not,
          check_manual_speaks_of_every_key]


def main():
    options = [word for word in sys.argv[1:2] if word.startswith("--")]
    name, sample_path, manual_path, *lines = sys.argv[1 + len(options):]
    program = [os.path.abspath(name), *options]
    with open(sample_path) as sample, open(manual_path) as manual:
        text, manual_text = sample.read() + "\n".join(lines), manual.read()
    print(f"1..{len(CHECKS)}")
    failed = 0
    for number, check in enumerate(CHECKS, 1):
        name = check.__name__.removeprefix("check_").replace("_", " ")
        try:
            check(program, text, manual_text)
            print(f"ok {number} - {name}")
        except AssertionError as why:
            failed += 1
            print(f"not ok {number} - {name}\n# {why}")
    sys.exit(1 if failed else 0)


main()
