"""tbhdup config."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import typer

from tbhdup import wording
from tbhdup.cli import options as o
from tbhdup.cli import settings


def config(
    context: typer.Context,
    store: o.StoreOption = None,
    weights: o.WeightsOption = None,
    device: o.DeviceOption = o.Device.AUTO,
    verify: o.VerifyOption = o.Verify.AUTO,
    radius: o.RadiusOption = None,
    cosine: o.CosineOption = None,
    candidates: o.CandidatesOption = 5,
    max_false_pairs: o.FalsePairsOption = 1.0,
    keep: o.KeepOption = None,
    prefer: o.PreferOption = None,
    reference: o.ReferenceOption = None,
) -> None:
    """Show what the other commands would use here, and where each value comes from; in the form of a settings file.

    Settings stand in tbhdup.toml, or in pyproject.toml under [tool.tbhdup], in the working folder or one above.
    """
    from tbhdup.store.place import default_place

    places = {
        "DEFAULT": "default",
        "DEFAULT_MAP": str(settings.find(Path.cwd())),
        "COMMANDLINE": "command line",
    }
    for name, setting in settings.known(config).items():
        value = context.params[setting.parameter]
        if name == "store":
            value = value or default_place()
        source = context.get_parameter_source(setting.parameter)
        place = places.get(source.name if source else "", setting.variable)
        if value is None or value in ([], ()):
            typer.echo(f"# {name} is not set")
        else:
            typer.echo(wording.visible(f"{name} = {_toml(value)}  # {place}"))


def _toml(value: Any) -> str:
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, int | float):
        return str(value)
    return json.dumps(str(value), ensure_ascii=False)
