"""The container, as far as it can be looked at without building it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from vall_e_core.cli import main

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "tools" / "container"
DOCKERFILE = (FOLDER / "Dockerfile").read_text("utf-8")
COMPOSE: Any = yaml.safe_load((FOLDER / "compose.yaml").read_text("utf-8"))["services"]["vall-e"]


def test_its_command_and_compose_use_flags_that_the_server_has(capfd: pytest.CaptureFixture[str]) -> None:
    command = json.loads(re.findall(r"^ENTRYPOINT (.*)$", DOCKERFILE, re.M)[0])
    assert command[:2] == ["vall-e", "serve"]
    assert main(["serve", "--help"]) == 0
    shown = capfd.readouterr().out
    flags = [each for each in (*command[2:], *COMPOSE["command"]) if each.startswith("--")]
    assert [each for each in flags if f"{each} " not in shown] == []


def test_it_has_no_rights_and_writes_only_where_it_must() -> None:
    assert re.findall(r"^USER (.*)$", DOCKERFILE, re.M) == ["10001"]
    assert COMPOSE["read_only"] is True and COMPOSE["cap_drop"] == ["ALL"]
    assert COMPOSE["volumes"] == ["voices:/voices"] and COMPOSE["tmpfs"] == ["/tmp"]
    assert COMPOSE["ports"] == ["127.0.0.1:8460:8460"], "others reach it through a proxy"


def test_it_installs_the_same_torch_as_everything_else() -> None:
    wanted = re.findall(r"^torch==(.*)$", (ROOT / "constraints.txt").read_text("utf-8"), re.M)
    assert re.findall(r'"torch==([^"]*)"', DOCKERFILE) == wanted


def test_the_probe_asks_for_what_the_server_answers() -> None:
    assert "http://127.0.0.1:8460/health" in DOCKERFILE and "EXPOSE 8460" in DOCKERFILE
