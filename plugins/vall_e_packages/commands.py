"""Runs pip where `vall-e` itself is installed: whichever Python a shell would find, plugins land beside it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec

import click

from vall_e_core import PluginError, UsageError
from vall_e_core.plugins import OURS

PASSED_ON = {"ignore_unknown_options": True}


@click.command(context_settings=PASSED_ON)
@click.argument("packages", metavar="PACKAGE...", nargs=-1, required=True, type=click.UNPROCESSED)
def install(packages: tuple[str, ...]) -> None:
    """Install PACKAGE next to vall-e: the name of a distribution, a wheel, a folder or a URL.

    Options of pip, such as -U or -e, are passed on.
    """
    _pip("install", packages)
    click.echo("vall-e plugins list shows what it brings", err=True)


@click.command(context_settings=PASSED_ON)
@click.argument("packages", metavar="PACKAGE...", nargs=-1, required=True, type=click.UNPROCESSED)
def uninstall(packages: tuple[str, ...]) -> None:
    """Remove PACKAGE. pip asks first, unless -y is given."""
    if OURS in {each.lower().replace("_", "-") for each in packages}:
        raise UsageError("vall-e can't uninstall itself", try_=f"{sys.executable} -m pip uninstall {OURS}")
    _pip("uninstall", packages)


def _pip(command: str, packages: Sequence[str]) -> None:
    """Raises UsageError where there is no pip, PluginError where it fails; it has then said why."""
    if find_spec("pip") is None:
        raise UsageError(
            "this environment has no pip", cause=f"nothing called pip can be imported by {sys.executable}",
            try_=f"uv pip {command} --python {sys.executable} {' '.join(packages)}",
        )  # fmt: skip
    done = subprocess.run([sys.executable, "-m", "pip", command, *packages], check=False)
    if done.returncode != 0:
        raise PluginError(f"pip {command} failed (it ended with {done.returncode})")
