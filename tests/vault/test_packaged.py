"""The packaged tables are what the package itself loads."""

from importlib import import_module

import pandas as pd
import pytest

from vault.packaged import packaged_table


@pytest.mark.parametrize("name", ["sp500", "nasdaq", "wti", "default", "core_cpi", "vix"])
def test_a_table_is_the_packages_own(name):
    theirs = import_module(f"arch.data.{name}").load()
    pd.testing.assert_frame_equal(packaged_table(name), theirs, check_dtype=False)
