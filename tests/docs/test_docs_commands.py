"""Commands, options and addresses in the documentation against the program."""

from __future__ import annotations

import argparse
import re
import subprocess
from pathlib import Path
from typing import Any

from gateway import cli
from gateway.simulator import simulate
from gateway.simulator.control import FAULTS

ROOT = Path(__file__).parents[2]


def _commands() -> dict[str, argparse.ArgumentParser]:
    parser = cli._parser()
    choices = next(action.choices for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    return dict(choices or {})


def _options(parser: argparse.ArgumentParser) -> set[str]:
    return {option for action in parser._actions for option in action.option_strings}


def test_the_table_lists_all_commands_and_no_other(pages: dict[str, Any]) -> None:
    for page, heading in (("README.md", "Command"), ("README.zh-CN.md", "命令")):
        listed = {row[0].strip("`").split()[1] for row in pages[page].rows(heading)}
        assert listed == set(_commands())


def test_commands_marked_with_json_have_it(pages: dict[str, Any]) -> None:
    marked = {row[0].strip("`").split()[1] for row in pages["README.md"].rows("Command") if "`--json`" in row[1]}
    assert marked == {name for name, parser in _commands().items() if "--json" in _options(parser)}


def test_printed_gateway_commands_are_understood(pages: dict[str, Any]) -> None:
    """Parsed, not run."""
    parser = cli._parser()
    seen = 0
    for page in pages.values():
        for block in page.blocks("sh"):
            for line in block.splitlines():
                match = re.match(r"\.venv/bin/gateway (.*?)(?:\s+#.*)?$", line)
                if match:
                    parser.parse_args(match[1].split())
                    seen += 1
    assert seen >= 12


def test_install_commands_are_those_of_the_script(pages: dict[str, Any]) -> None:
    usage = subprocess.run([ROOT / "install.sh", "--help"], capture_output=True, text=True, check=True, timeout=10).stdout
    known = set(re.findall(r"^  (\w+) ", usage, re.MULTILINE))
    listed = {name.strip("` ") for row in pages["README.md"].rows("`./install.sh`") for name in row[0].split(",")}
    assert listed == known
    for page in pages.values():
        used = set(re.findall(r"\./install\.sh (\w+)", page.text))
        assert used <= known, page.name


def test_simulator_options_and_defaults(pages: dict[str, Any]) -> None:
    parser = argparse.ArgumentParser(add_help=False)
    simulate.add_arguments(parser)
    rows = {row[0].strip("`").split()[0]: row[1].strip("`") for row in pages["docs/simulator.md"].rows("Option")}
    assert set(rows) == _options(parser)
    defaults = {action.option_strings[0]: action.default for action in parser._actions if action.nargs != 0}
    assert {name: rows[name] for name in defaults} == {name: str(default) for name, default in defaults.items()}


def test_simulator_faults(pages: dict[str, Any]) -> None:
    assert tuple(row[0].strip("`") for row in pages["docs/simulator.md"].rows("Fault")) == FAULTS


def test_python_examples_compile(pages: dict[str, Any]) -> None:
    for page in pages.values():
        for block in page.blocks("python"):
            compile(block, page.name, "exec")


def test_both_readmes_show_the_same_commands(pages: dict[str, Any]) -> None:
    english, chinese = pages["README.md"], pages["README.zh-CN.md"]
    assert english.blocks("sh") == chinese.blocks("sh")
    assert [_uncommented(one) for one in english.blocks("yaml")] == [_uncommented(one) for one in chinese.blocks("yaml")]


def test_both_readmes_have_the_same_sections_and_tables(pages: dict[str, Any]) -> None:
    english, chinese = (pages[name].prose().splitlines() for name in ("README.md", "README.zh-CN.md"))
    for start in ("## ", "|", "- "):
        assert sum(line.startswith(start) for line in english) == sum(line.startswith(start) for line in chinese), start


def _uncommented(block: str) -> list[str]:
    return [re.sub(r"\s+#.*$", "", line) for line in block.splitlines()]
