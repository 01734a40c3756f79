"""`trade_many` on a graphics card: a configuration a thread, compiled from the source of the processor's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
from numba import config, cuda
from numpy.typing import NDArray

from backtest.kernels.simulation import EstimateTable, Floats, History, Terms, trade_number
from backtest.kernels.words import Words

THREADS = 64
"""Of a block: each keeps some hundred numbers, so that more of them would not be at work at once."""

_SCRATCH = 2**30
"""Bytes for what configurations want, one bit a bar and kind, of those at work together."""


def there() -> bool:
    """Whether this machine has a card that can be used."""
    return bool(cuda.is_available())


@contextmanager
def _exactly() -> Iterator[None]:
    """Compile `a * b + c` as two roundings, as processors do: numba has no option for that.

    With one rounding prices differ in their last bit, and trades with them.
    """
    if config.ENABLE_CUDASIM:
        yield
        return
    from numba.cuda.cudadrv import nvvm  # noqa: PLC0415  # the simulator has none

    before = nvvm.compile_ir
    nvvm.compile_ir = partial(before, fma=False)
    try:
        yield
    finally:
        nvvm.compile_ir = before


def _each(
    history: Any,
    words: Any,
    rows: Any,
    estimates: Any,
    settings: Any,
    terms: Any,
    out: Any,
    settled: Any,
    trades: Any,
    rooms: Any,
) -> None:
    """Each thread its configuration of `trade_many`."""
    number = cuda.grid(1)
    if number < rows.shape[0]:
        trade_number(
            number,
            history,
            words,
            rows,
            estimates,
            settings,
            terms,
            out,
            settled,
            trades[number],
            rooms[number],
        )


_trade = cuda.jit(_each)


class Card:
    """The first card of this machine."""

    def trade_many(
        self,
        history: History,
        words: Words,
        rows: NDArray[np.int32],
        estimates: EstimateTable,
        settings: Floats,
        terms: Terms,
        out: Floats,
        settled: NDArray[np.bool_],
        trades: Floats,
    ) -> None:
        """As `simulation.trade_many`, but `trades` are of every configuration.

        Args:
            history: prices of n bars, laid out.
            words: one row a condition.
            rows: m × 4 × k.
            estimates: n values a row.
            settings: m × SETTINGS.
            terms: what all configurations share.
            out: m × FIGURES, written.
            settled: m, written.
            trades: m × n × TRADE_COLUMNS, written; m × 0 × TRADE_COLUMNS for none.
        """
        width = words.shape[1]
        together = max(THREADS, min(len(rows), _SCRATCH // (4 * 8 * width)))
        prices, conditions, series = _moved(history), _moved(words), _moved(estimates)
        rooms = cuda.device_array((min(together, len(rows)), 4, width), np.uint64)
        for start in range(0, len(rows), together):
            piece = slice(start, start + together)
            own = series._replace(
                atr_rows=_moved(estimates.atr_rows[piece]),
                volatility_rows=_moved(estimates.volatility_rows[piece]),
            )
            found, sure, traded = map(_moved, (out[piece], settled[piece], trades[piece]))
            count = len(rows[piece])
            with _exactly():
                _trade[-(-count // THREADS), THREADS](
                    prices,
                    conditions,
                    _moved(rows[piece]),
                    own,
                    _moved(settings[piece]),
                    terms,
                    found,
                    sure,
                    traded,
                    rooms,
                )
            found.copy_to_host(out[piece])
            sure.copy_to_host(settled[piece])
            if trades.size:
                traded.copy_to_host(trades[piece])


def _moved(value: Any) -> Any:
    """An array on the card, or a tuple with every array there."""
    if isinstance(value, tuple):
        return type(value)(*map(_moved, value))
    return cuda.to_device(np.ascontiguousarray(value))
