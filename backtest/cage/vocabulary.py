"""What the functions of the cage are written in: prices, constants, functions; and why others are refused."""

from __future__ import annotations

from typing import Literal

COLUMNS = ("open", "high", "low", "close", "volume")
"""Arrays that a function may ask for, one value a bar."""

Shape = Literal["number", "either", "truth"]

_EITHER_1 = ("sqrt", "exp", "expm1", "log", "log2", "log10", "log1p", "sin", "cos", "tan", "sinh", "cosh")
_TANGENTS = ("tanh", "arcsin", "arccos", "arctan")
_MATH_1 = (*_EITHER_1, "tanh", "asin", "acos", "atan", "fabs", "floor", "ceil")

FUNCTIONS: dict[str, tuple[Shape, int, int]] = {
    **{f"np.{name}": ("either", 1, 1) for name in (*_EITHER_1, *_TANGENTS)},
    **{f"np.{name}": ("either", 1, 1) for name in ("abs", "absolute", "fabs", "sign", "floor", "ceil")},
    **{f"np.{name}": ("either", 2, 2) for name in ("maximum", "minimum", "hypot", "arctan2", "copysign")},
    **{f"{module}.{name}": ("truth", 1, 1) for module in ("np", "math") for name in ("isnan", "isinf")},
    **{f"{module}.isfinite": ("truth", 1, 1) for module in ("np", "math")},
    **{f"math.{name}": ("number", 1, 1) for name in _MATH_1},
    **{f"math.{name}": ("number", 2, 2) for name in ("pow", "hypot", "atan2", "copysign", "fmod")},
    "abs": ("number", 1, 1),
    "min": ("number", 2, 6),
    "max": ("number", 2, 6),
    "int": ("number", 1, 1),
    "float": ("number", 1, 1),
}
"""What it takes and gives (`either`: numbers, or arrays bar by bar), the fewest and the most arguments."""

TAKEN = frozenset((*FUNCTIONS, "np", "math", "range", "len", "bool"))
"""Names that mean something in a function, and can be nothing else."""

WINDOWS = frozenset(f"np.{name}" for name in ("sum", "mean", "std", "var", "min", "max"))
"""Functions of the bars between two ends, `np.mean(close[t - 4 : t + 1])`."""

MAKERS = {"np.zeros": 1, "np.ones": 1, "np.full": 2, "np.zeros_like": 1, "np.ones_like": 1, "np.full_like": 2}
"""What makes an array, and its number of arguments."""

TYPES = frozenset(("bool", "float", "np.bool_", "np.float64"))
"""What an array may be said to be made of."""

CONSTANTS = frozenset(("np.nan", "np.inf", "np.pi", "np.e", "math.nan", "math.inf", "math.pi", "math.e"))

_REASONS: dict[str, tuple[str, ...]] = {
    "whole_series": tuple(
        f"np.{name}"
        for name in (
            *("sum", "mean", "std", "var", "min", "max", "median", "average", "percentile", "quantile"),
            *("ptp", "argmin", "argmax", "amin", "amax", "nanmean", "nanstd", "nanmax", "nanmin", "nansum"),
            *("nanmedian", "nanvar", "corrcoef", "cov", "polyfit", "histogram", "interp", "searchsorted"),
            *("unique", "prod", "any", "all", "count_nonzero", "nonzero", "argwhere", "dot", "vdot"),
        )
    ),
    "other_order": tuple(
        f"np.{name}"
        for name in (
            *("flip", "flipud", "roll", "sort", "argsort", "partition", "argpartition", "rot90", "take"),
            *("gradient", "convolve", "correlate", "diff", "ediff1d", "concatenate", "append", "insert"),
            *("delete", "repeat", "tile", "resize", "reshape", "cumsum", "cumprod", "trapz", "where", "pad"),
        )
    ),
    "uninitialised": ("np.empty", "np.empty_like", "np.ndarray"),
    "random_number": tuple(
        f"np.random.{name}" for name in ("rand", "randn", "random", "normal", "uniform", "seed", "randint")
    ),
    "object_mode": ("objmode", "numba.objmode", "nb.objmode"),
    "several_threads": ("prange", "numba.prange", "nb.prange"),
    "reaches_outside": (
        *("open", "eval", "exec", "compile", "input", "print", "globals", "locals", "vars", "dir", "getattr"),
        *("setattr", "delattr", "hasattr", "breakpoint", "exit", "quit", "help", "memoryview", "object"),
        *("type", "super", "isinstance", "issubclass", "callable", "classmethod", "property"),
        *("np.load", "np.save", "np.savetxt", "np.fromfile", "np.memmap", "np.loadtxt", "np.genfromtxt"),
        *("np.frombuffer", "np.lib", "np.ctypeslib", "np.testing", "np.f2py", "np.lib.stride_tricks"),
    ),
    "identity": ("id", "hash", "repr", "np.shares_memory", "np.may_share_memory"),
}

REASONS = {name: reason for reason, names in _REASONS.items() for name in names}
"""Why a function that somebody may well try is refused; any other is one that the cage does not know."""
