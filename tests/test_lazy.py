"""Packages that load their parts when asked offer what they say, and nothing else."""

from __future__ import annotations

from types import ModuleType

import pytest

import tbhdup
from tbhdup import sources, verify


@pytest.mark.parametrize("package", [tbhdup, sources, verify])
def test_every_name_that_is_offered_is_there(package: ModuleType) -> None:
    for name in package.__all__:
        assert getattr(package, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        package.nothing  # noqa: B018 - asking is the test
