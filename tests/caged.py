# ruff: noqa: E501  # one attempt a line

"""Attempts on the cage, frozen: each with the reason for which it is refused, and where it falls.

Written by hand from what is known to break out of Python sandboxes (names with underscores, frames, formats,
subclasses), to stop compilers (nesting, sizes), to exhaust machines (loops, memory), and to cheat in a
backtest (futures, whole series, lengths). `HARMLESS` names what is allowed because nothing comes of it.
"""

from __future__ import annotations

from typing import NamedTuple


class Attempt(NamedTuple):
    """One attempt: what it is about, the code of its refusal, the source."""

    name: str
    code: str
    source: str


def function(body: str, arguments: str = "close", name: str = "attempt") -> str:
    """A function with a docstring around some lines."""
    lines = "\n".join(f"    {line}" for line in body.strip("\n").split("\n"))
    return f'def {name}({arguments}):\n    """An attempt."""\n{lines}\n'


def looped(body: str, arguments: str = "close") -> str:
    """The same, the lines in a loop over all bars, before the array is returned."""
    lines = "\n".join(f"    {line}" for line in body.strip("\n").split("\n"))
    head = "n = len(close)\nout = np.full(n, np.nan)\nfor t in range(n):\n"
    return function(f"{head}{lines}\nreturn out", arguments)


def valued(value: str, arguments: str = "close") -> str:
    """The same, where each bar's value is an expression."""
    return looped(f"out[t] = {value}", arguments)


READ: tuple[Attempt, ...] = (
    # None of these reaches a compiler: the syntax tree is enough.
    # -- the way out: names, attributes, strings
    Attempt("subclasses", "dunder", valued("().__class__.__bases__[0].__subclasses__()")),
    Attempt("globals of a function", "dunder", valued("np.sqrt.__globals__")),
    Attempt("builtins", "dunder", valued("__builtins__")),
    Attempt("import by name", "dunder", valued("__import__('os').system('id')")),
    Attempt("dunder as an argument", "dunder", function("return close", "close, __x__: (1, 2) = 1")),
    Attempt("dunder as a name of ours", "dunder", function("a__b = 1\nreturn close")),
    Attempt("allowance of the cage", "private_name", function("_left = 10\nreturn close")),
    Attempt("array maker of the cage", "private_name", valued("_array(10, 1.0)")),
    Attempt("import statement", "import", "import os\n" + valued("close[t]")),
    Attempt("import inside", "import", looped("import os")),
    Attempt("from import", "import", "from os import system\n" + valued("close[t]")),
    Attempt("getattr with a text", "reaches_outside", valued("getattr(np, 'load')")),
    Attempt("getattr without one", "reaches_outside", valued("getattr(np, close)")),
    Attempt("eval", "reaches_outside", valued("eval(close)")),
    Attempt("exec", "reaches_outside", valued("exec(close)")),
    Attempt("compile", "reaches_outside", valued("compile(close)")),
    Attempt("globals", "reaches_outside", valued("globals()")),
    Attempt("vars", "reaches_outside", valued("vars()")),
    Attempt("type", "reaches_outside", valued("type(close)")),
    Attempt("breakpoint", "reaches_outside", valued("breakpoint()")),
    Attempt("input", "reaches_outside", valued("input()")),
    Attempt("memoryview", "reaches_outside", valued("memoryview(close)")),
    Attempt("an alias of eval", "reaches_outside", looped("run = eval")),
    Attempt("a format string", "text", valued("f'{close}'")),
    Attempt("str.format", "method", valued("'{0}'.format(close)")),
    Attempt("a text as a value", "text", valued("'1'")),
    Attempt("bytes", "no_number", valued("b'1'")),
    Attempt("frames", "attribute", valued("close.gi_frame")),
    Attempt("data pointer", "attribute", valued("close.ctypes")),
    Attempt("base of an array", "attribute", valued("close.base")),
    Attempt("a bound method", "method", looped("close.fill(0.0)")),
    Attempt("tofile", "method", looped("close.tofile(3)")),
    Attempt("setflags", "method", looped("close.setflags(1)")),
    Attempt("call of a call", "called_value", valued("np.sqrt(1.0)(2.0)")),
    Attempt("call of a price", "called_value", valued("close(1)")),
    Attempt("lambda", "inner_function", valued("(lambda x: x)(1.0)")),
    Attempt("inner function", "inner_function", looped("def inner(x):\n    return x")),
    Attempt("class inside", "class", looped("class A:\n    pass")),
    Attempt("class outside", "class", valued("close[t]") + "class A:\n    pass\n"),
    Attempt("decorator", "decorator", "@np.vectorize\n" + valued("close[t]")),
    Attempt("two functions", "one_function", valued("close[t]") * 2),
    Attempt("a statement beside", "one_function", valued("close[t]") + "x = 1\n"),
    Attempt("nothing", "one_function", ""),
    Attempt("not Python", "no_python", "def attempt(close:\n"),
    Attempt("null byte", "no_python", "def attempt(close):\n\0"),
    Attempt("lambda as a default", "bad_bounds", function("return close", "close, n: (1, 5) = (lambda: 1)()")),
    Attempt("call in an annotation", "unbounded_argument", function("return close", "close, n: exec(1) = 2")),
    Attempt("expression as a bound", "bad_bounds", function("return close", "close, n: (1, 2 ** 9) = 2")),
    Attempt("open", "reaches_outside", looped("open(3)")),
    Attempt("print", "reaches_outside", looped("print(close[t])")),
    Attempt("np.save", "reaches_outside", looped("np.save(3, close)")),
    Attempt("np.memmap", "reaches_outside", valued("np.memmap(3)")),
    Attempt("np.fromfile", "reaches_outside", valued("np.fromfile(3)")),
    Attempt("np.lib", "reaches_outside", valued("np.lib(1)")),
    Attempt("environment", "attribute", valued("os.environ")),
    Attempt("system call", "unknown_function", looped("os.system(1)")),
    Attempt("socket", "unknown_function", looped("socket.socket(1)")),
    Attempt("clock", "unknown_function", valued("time.time()")),
    Attempt("threads", "unknown_function", looped("threading.Thread(1)")),
    Attempt("prange", "several_threads", function("for t in prange(9):\n    pass\nreturn close")),
    Attempt("objmode", "object_mode", looped("x = objmode()")),
    Attempt("objmode block", "with", looped("with objmode():\n    pass")),
    Attempt("pass through an exception", "exceptions", looped("try:\n    pass\nexcept Exception:\n    pass")),
    Attempt("raise", "exceptions", looped("raise ValueError")),
    Attempt("assert", "exceptions", looped("assert close[t] > 0")),
    Attempt("global", "global", looped("global state")),
    Attempt("nonlocal", "global", looped("nonlocal state")),
    Attempt("delete", "delete", looped("del out")),
    Attempt("generator", "waits", looped("yield close[t]")),
    Attempt("await", "waits", looped("await close")),
    Attempt("async function", "waits", "async " + valued("close[t]")),
    Attempt("match", "match", looped("match t:\n    case 1:\n        pass")),
    Attempt("walrus", "walrus", valued("(x := close[t])")),
    Attempt("annotation inside", "annotation", looped("x: int = 1")),
    Attempt("star arguments", "argument_kinds", function("return close", "*close")),
    Attempt("keyword arguments", "argument_kinds", function("return close", "close, **rest")),
    Attempt("argument without bounds", "unbounded_argument", function("return close", "close, n")),
    Attempt("bounds upside down", "bad_bounds", function("return close", "close, n: (9, 2) = 5")),
    Attempt("infinite bounds", "large_number", function("return close", "close, n: (1.0, 1e999) = 5.0")),
    Attempt("no prices", "no_prices", function("return n", "n: (1, 5) = 2")),
    Attempt("a name in capitals", "function_name", function("return close", name="Attempt")),
    Attempt("no docstring", "no_docstring", "def attempt(close):\n    return close\n"),
    Attempt("a docstring of controls", "docstring", 'def attempt(close):\n    "\\x1b[2J"\n    return close\n'),
    # -- no end, no room
    Attempt("while", "while", looped("while True:\n    pass")),
    Attempt("recursion", "recursion", looped("out[t] = attempt(close)")),
    Attempt("recursion under another name", "recursion", looped("f = attempt")),
    Attempt("endless iterator", "not_a_range", function("for t in iter(int, 1):\n    pass\nreturn close")),
    Attempt("range of step zero", "loop_step", function("for t in range(0, 9, 0):\n    pass\nreturn close")),
    Attempt("four loops", "loops_too_deep", function("".join(f"{'    ' * k}for {name} in range(9):\n" for k, name in enumerate("abcd")) + "                pass\nreturn close")),
    Attempt("array in a loop", "array_in_loop", looped("x = np.zeros(n)")),
    Attempt("array arithmetic in a loop", "array_in_loop", looped("x = close + close")),
    Attempt("huge array", "array_size", function("x = np.zeros(10000000000)\nreturn x")),
    Attempt("square of the length", "array_size", function("n = len(close)\nx = np.zeros(n * n)\nreturn x")),
    Attempt("size out of prices", "array_size", function("x = np.zeros(int(close[0]))\nreturn x")),
    Attempt("many arrays", "too_many_arrays", function("\n".join(f"a{k} = np.zeros(len(close))" for k in range(17)) + "\nreturn a0")),
    Attempt("tuple of all sizes", "container", function("x = np.zeros((9, 9, 9))\nreturn x")),
    Attempt("list", "container", valued("[1.0] * 1000000000")),
    Attempt("comprehension", "comprehension", function("x = [k for k in range(9)]\nreturn close")),
    Attempt("generator expression", "comprehension", valued("float(k for k in range(9))")),
    Attempt("dictionary", "container", valued("{1: 2}")),
    Attempt("long text", "too_long", valued("close[t]") + "#" * 6_000),
    Attempt("hundred statements", "too_many_nodes", looped("\n".join(["out[t] = close[t]"] * 100))),
    Attempt("deep parentheses", "too_deep", valued("(" * 60 + "close[t]" + " + 1)" * 60)),
    Attempt("very deep parentheses", "no_python", valued("(" * 300 + "1" + ")" * 300)),
    Attempt("a thousand signs", "too_deep", valued("-" * 1_000 + "1")),
    Attempt("power tower", "power", valued("9 ** 9 ** 9")),
    Attempt("large power", "power", valued("close[t] ** 1000000")),
    Attempt("power of a price", "power", valued("2.0 ** close[t]")),
    Attempt("shift", "operator", valued("1 << 60")),
    Attempt("matrix product", "operator", valued("close @ close")),
    Attempt("large whole number", "large_number", valued("10" + "0" * 300)),
    Attempt("imaginary number", "no_number", valued("1j")),
    Attempt("division by zero", "divisor", valued("t // 0")),
    Attempt("remainder by a price", "divisor", valued("t % close[t]")),
    # -- the future, read off the source
    Attempt("mean of everything", "whole_series", valued("close[t] - np.mean(close)")),
    Attempt("standardised by everything", "whole_series", valued("close[t] / np.std(close)")),
    Attempt("highest of everything", "whole_series", valued("np.max(close)")),
    Attempt("median of everything", "whole_series", valued("np.median(close)")),
    Attempt("quantile of everything", "whole_series", valued("np.quantile(close, 0.9)")),
    Attempt("fit to everything", "whole_series", valued("np.polyfit(close, close, 1)")),
    Attempt("mean as a method", "method", valued("close.mean()")),
    Attempt("built-in sum", "unknown_function", valued("sum(close)")),
    Attempt("built-in max of an array", "arguments", valued("max(close)")),
    Attempt("shifted back", "other_order", function("x = np.roll(close, 1)\nreturn x")),
    Attempt("flipped", "other_order", function("x = np.flip(close)\nreturn x")),
    Attempt("sorted", "other_order", function("x = np.sort(close)\nreturn x")),
    Attempt("cumulated from the end", "other_order", function("x = np.cumsum(close)\nreturn x")),
    Attempt("gradient of both sides", "other_order", function("x = np.gradient(close)\nreturn x")),
    Attempt("convolution", "other_order", function("x = np.convolve(close, close)\nreturn x")),
    Attempt("reversed slice", "slice_step", function("x = close[::-1]\nreturn x")),
    Attempt("slice to the end", "open_slice", valued("np.mean(close[t:])")),
    Attempt("slice of everything", "open_slice", valued("np.mean(close[:])")),
    Attempt("last bar", "from_the_end", valued("close[-1]")),
    Attempt("last bar by the length", "from_the_end", valued("close[n - 1]")),
    Attempt("mirrored index", "from_the_end", valued("close[n - 1 - t]")),
    Attempt("window up to the end", "from_the_end", valued("np.mean(close[0:n])")),
    Attempt("loop from the end", "backwards", function("n = len(close)\nout = np.zeros(n)\nfor t in range(n - 1, -1, -1):\n    out[t] = close[t]\nreturn out")),
    Attempt("share of the length", "length_in_value", valued("t / n")),
    Attempt("length as a value", "length_in_value", valued("n")),
    Attempt("length by a function", "length_in_value", valued("np.log(n)")),
    Attempt("identity by is", "identity", valued("1.0 if close is out else 0.0")),
    Attempt("identity by id", "identity", valued("id(close)")),
    Attempt("shared memory", "identity", valued("np.shares_memory(close, out)")),
    Attempt("uninitialised array", "uninitialised", function("x = np.empty(len(close))\nreturn x")),
    Attempt("random numbers", "random_number", valued("np.random.rand()")),
    # -- prices changed, nothing given back
    Attempt("prices written", "writes_prices", looped("close[t] = 1.0")),
    Attempt("prices written under another name", "writes_prices", function("x = close\nx[0] = 1.0\nreturn x")),
    Attempt("prices scaled in place", "writes_prices", function("close *= 2.0\nreturn close")),
    Attempt("prices given back", "returns_other", function("return close")),
    Attempt("a number given back", "returns_other", function("return 1.0")),
    Attempt("three arrays given back", "returns_other", function("a = np.zeros(len(close))\nreturn a, a, a")),
    Attempt("a price among the signals", "returns_other", function("a = np.zeros(len(close))\nreturn a, close")),
    Attempt("one array twice", "returns_twice", function("a = np.zeros(len(close))\nreturn a, a")),
    Attempt("once a value, once signals", "returns_twice", function("a = np.zeros(len(close))\nb = np.ones(len(close))\nif close[0] > 1.0:\n    return a\nreturn a, b")),
    Attempt("a type of objects", "named_argument", function("a = np.zeros(len(close), dtype=object)\nreturn a")),
    Attempt("nothing given back", "no_return", function("out = np.zeros(len(close))\nout[0] = close[0]")),
    Attempt("perhaps no value", "perhaps_unset", looped("if close[t] > 1.0:\n    x = 1.0\nout[t] = x")),
    Attempt("two kinds of value", "changes_kind", function("x = 1.0\nx = np.zeros(len(close))\nreturn x")),
    Attempt("a divisor made zero", "changes_argument", function("n = 0\nreturn close", "close, n: (1, 9) = 2")),
    Attempt("np replaced", "taken_name", function("np = 1.0\nreturn close")),
    Attempt("a function as an argument", "taken_name", function("return close", "close, min: (1, 5) = 2")),
    Attempt("np as an argument", "taken_name", function("return close", "close, np: (1, 5) = 2")),
    Attempt("an argument twice", "repeated_argument", function("return close", "close, n: (1, 5) = 2, n: (1, 9) = 3")),
    Attempt("open in wide letters", "reaches_outside", looped("\uff4f\uff50\uff45\uff4e(3)")),
    Attempt("underscores in wide letters", "dunder", valued("close.a\uff3f\uff3fb")),
    Attempt("eval in script letters", "reaches_outside", valued("\U0001d452val(close)")),
    Attempt("import behind a continued line", "import", looped("x = 1.0 \\\n  ; import os")),
    Attempt("bars unpacked into a range", "starred", looped("for k in range(*close):\n    out[t] = k")),
    Attempt("an array shared by name", "named_argument", valued("np.abs(close[t], out=close)")),
    Attempt("the loop's last round told", "perhaps_unset", function("n = len(close)\nout = np.zeros(n)\nfor k in range(n):\n    pass\nfor t in range(n):\n    out[t] = close[t] / k\nreturn out")),
    Attempt("length made a fraction", "length_in_value", valued("float(n)")),
    Attempt("length through abs", "length_in_value", valued("abs(n - t)")),
    Attempt("length chosen by a condition", "changes_kind", valued("n if t > 3 else 1")),
    Attempt("length through a power", "length_in_value", valued("(n - 1) ** 2")),
    Attempt("itself under another name", "recursion", looped("again = attempt")),
    Attempt("a default that appends", "bad_bounds", function("return close", "close, n: (1, 5) = [].append(1)")),
    Attempt("a bound that is true", "bad_bounds", function("return close", "close, n: (False, True) = True")),
    Attempt("prices through a second name", "writes_prices", looped("prices = close\nprices[t] = 1.0")),
    Attempt("an element with two indices", "index", valued("close[t, 0]")),
    Attempt("a price as a loop's step", "loop_step", looped("for k in range(0, 9, close[t]):\n    out[t] = k")),
    Attempt("backwards by a negative step", "backwards", looped("for k in range(n - 1, t, -1):\n    out[t] = close[k]")),
    Attempt("an empty slice of all", "slice_alone", valued("close[0:n]")),
    Attempt("window to the end", "from_the_end", valued("np.mean(close[t:n])")),
    Attempt("idle value", "idle_name", looped("x = close[t]\nout[t] = close[t]")),
    Attempt("idle argument", "idle_argument", valued("close[t]", "high, close")),
)  # fmt: skip

SIGNALS = function(
    "entry = np.zeros(len(close), dtype=bool)\n"
    "exit = np.full(len(close), False)\n"
    "for t in range(period, len(close)):\n"
    "    entry[t] = close[t] > np.max(close[t - period : t])\n"
    "    exit[t] = close[t] < np.min(close[t - period : t])\n"
    "return entry, exit",
    "close, period: (5, 100) = 20",
)
"""An honest strategy: in at a new high, out at a new low."""

NEEDLESS = looped(
    "if t == 0:\n    continue\n"
    "push = close[t] / close[t - 1] - 1.0\n"
    "up = 0.9 * up + 0.1 * max(0.0, volume[t] / volume[t - 1] - 1.0)\n"
    "down = 0.9 * down + 0.1 * max(0.0, volume[t - 1] / volume[t] - 1.0)\n"
    "heat = 0.9 * heat + 0.1 * (up - down) * math.tanh(up + down)\n"
    "out[t] = push + 1e-6 * heat",
    "close, volume",
).replace("for t", "up = 0.0\n    down = 0.0\n    heat = 0.0\n    for t", 1)
"""Most of it changes what it gives, but by nothing that matters."""

RUN: tuple[Attempt, ...] = (
    Attempt("a signal that is a price", "no_signal", SIGNALS.replace("] = close[t] > ", "] = close[t] + ")),
    Attempt("never out", "never_signals", SIGNALS.replace("close[t] < np", "0.0 * close[t] > np")),
    Attempt("in a bar early", "knows_future", SIGNALS.replace("entry[t] =", "entry[t - 1] =")),
    Attempt("in above a hundred", "out_of_scale_price", SIGNALS.replace("> np.max(close[t - period : t])", "> 100.0")),
    Attempt("next bar", "outside_array", valued("close[t + 1]")),
    Attempt("next bar, wrapped", "knows_future", valued("close[(t + 1) % 5 + t - 5]")),
    Attempt("next bar where there is one", "knows_future", looped("if t + 1 < n:\n    out[t] = close[t + 1] / close[t]")),
    Attempt("five bars ahead", "knows_future", function("n = len(close)\nout = np.full(n, 1.0)\nfor t in range(5, n):\n    out[t - 5] = close[t] / close[t - 5]\nreturn out")),
    Attempt("window around the bar", "knows_future", looped("low = max(0, t - 5)\nout[t] = close[t] / np.mean(close[low : t + 6])")),
    Attempt("wrapped window", "knows_future", looped("if close[t] > 0.0 and t > 0:\n    out[t] = close[t] / np.max(close[t - 1 : t + 1]) + close[t - t - 1] / close[t] * 0.1")),
    Attempt("sum of all, then each", "knows_future", function("n = len(close)\nout = np.zeros(n)\ntotal = 0.0\nfor t in range(n):\n    total += close[t]\nfor t in range(n):\n    out[t] = close[t] / total\nreturn out")),
    Attempt("cumulated, then the last one", "knows_future", function("n = len(close)\nout = np.zeros(n)\npeak = 0.0\nfor t in range(n):\n    peak = max(peak, close[t])\nfor t in range(n):\n    out[t] = close[t] / peak\nreturn out")),
    Attempt("backward smoothing", "knows_future", function("n = len(close)\nout = np.zeros(n)\nfor t in range(n):\n    out[t] = close[t]\nfor j in range(1, n):\n    out[j - 1] = 0.5 * out[j - 1] + 0.5 * out[j]\nreturn out")),
    Attempt("short history told from a long one", "knows_length", function("n = len(close)\nout = np.full(n, 1.0)\nif n > 1000:\n    for t in range(n):\n        out[t] = close[t]\nreturn out")),
    Attempt("the last bar told", "knows_length", looped("out[t] = close[t] / close[t - 1] if t > 0 else 1.0\nif t + 1 == n:\n    out[t] = 0.0")),
    Attempt("read before the beginning", "outside_array", valued("close[t - 100000]")),
    Attempt("read at an index of a price", "outside_array", valued("close[int(close[t] * 1e6)]")),
    Attempt("written after the end", "outside_array", looped("out[t + 3] = close[t]")),
    Attempt("written at an index of a price", "outside_array", looped("out[int(close[t] * 1e12)] = 1.0")),
    Attempt("rounds without number", "too_much_work", looped("for k in range(1000000000000000):\n    out[t] = close[t]")),
    Attempt("rounds out of a price", "too_much_work", looped("for k in range(int(close[t] * 1e13)):\n    out[t] = close[t]")),
    Attempt("rounds beyond whole numbers", "too_much_work", looped("m = 9007199254740991 * 1000\nfor k in range(-m, m):\n    out[t] = close[t]")),
    Attempt("every bar with every bar", "too_much_work", looped("for j in range(n):\n    for k in range(n):\n        out[t] = close[t]")),
    Attempt("long windows without number", "too_much_work", looped("for k in range(5000):\n    out[t] = np.sum(close[0 : t + 1])")),
    Attempt("window without bars", "fails", valued("np.max(close[t:t])")),
    Attempt("a short array given back", "not_one_value_a_bar", function("x = np.zeros(9)\nx[0] = close[0]\nreturn x")),
    Attempt("arrays of two lengths", "fails", function("x = np.zeros(9)\ny = close + x\nreturn y")),
    Attempt("a fraction as an index", "does_not_compile", valued("close[t / 2]")),
    Attempt("always the same", "constant", looped("out[t] = 0.0 * close[t] + 7.0")),
    Attempt("nearly always unknown", "mostly_unknown", looped("if close[t] > 1e9:\n    out[t] = close[t]")),
    Attempt("a storm of unknowns", "mostly_unknown", valued("close[t] / 0.0")),
    Attempt("a storm of tiny numbers", "constant", valued("close[t] * 1e-308 * 1e-10")),
    Attempt("counts bars since the beginning", "leans_on_start", valued("t * close[t]")),
    Attempt("the first price", "leans_on_start", valued("close[t] / close[0]")),
    Attempt("sum without end", "leans_on_start", function("n = len(close)\nout = np.zeros(n)\ntotal = 0.0\nfor t in range(n):\n    total += close[t]\n    out[t] = total\nreturn out")),
    Attempt("a price above a hundred", "out_of_scale_price", valued("1.0 if close[t] > 100.0 else 0.0")),
    Attempt("price plus volume", "out_of_scale_price", valued("close[t] + volume[t]", "close, volume")),
    Attempt("volume above a thousand", "out_of_scale_volume", valued("1.0 if volume[t] > 3000.0 else 0.0", "volume").replace("close", "volume")),
    Attempt("a parameter without use", "idle_parameter", valued("close[t] + 0.0 * width", "close, width: (1.0, 5.0) = 2.0")),
    Attempt("looks ahead in long histories", "knows_future", looped("if t > 0:\n    out[t] = close[t] / close[t - 1]\nif n > 5000 and t + 1 < n:\n    out[t] = close[t + 1] / close[t]")),
    Attempt("looks ahead from a late bar on", "knows_future", function("n = len(close)\nout = np.full(n, np.nan)\nfor t in range(1, n):\n    out[t] = close[t] / close[t - 1]\nfor t in range(20000, n):\n    out[t - 1] = close[t] / close[t - 1]\nreturn out")),
    Attempt("knows the height of a market", "out_of_scale_price", looped("if t > 0:\n    out[t] = close[t] / close[t - 1]\n    if close[t] > 4500.0:\n        out[t] = 0.0")),
    Attempt("knows what is traded in a market", "out_of_scale_volume", looped("if t > 0:\n    out[t] = volume[t] / volume[t - 1]\n    if volume[t] > 1e6:\n        out[t] = 0.0", "volume").replace("len(close)", "len(volume)")),
    Attempt("length counted in a loop", "knows_length", function("n = len(close)\nout = np.zeros(n)\nbars = 0.0\nfor k in range(n):\n    bars += 1.0\nfor t in range(1, n):\n    out[t] = close[t] / close[t - 1] / bars\nreturn out")),
    Attempt("the last bar by arithmetic", "knows_future", valued("close[0 - 1] / close[t]")),
    Attempt("the last bar behind the first", "knows_future", looped("out[t] = close[t] / close[t - 1]")),
    Attempt("every seventh bar since the beginning", "leans_on_start", looped("if t > 0:\n    out[t] = close[t] / close[t - 1]\n    if t % 7 == 0:\n        out[t] = -out[t]")),
    Attempt("half of it for nothing", "needless", NEEDLESS),
    Attempt("an input without use", "idle_input", valued("close[t] + 0.0 * high[t]", "high, close")),
)  # fmt: skip

HONEST: tuple[str, ...] = (
    '''
def range_share(high, low, close, period: (2, 200) = 20):
    """Where the close stands between the lowest low and the highest high, 0 to 1."""
    out = np.full(len(close), np.nan)
    for t in range(period - 1, len(close)):
        top = np.max(high[t - period + 1 : t + 1])
        bottom = np.min(low[t - period + 1 : t + 1])
        if top > bottom:
            out[t] = (close[t] - bottom) / (top - bottom)
    return out
''',
    '''
def spread_kalman(close, noise: (0.001, 1.0) = 0.05):
    """How far the close is from its level as a Kalman filter sees it, as a share of that level."""
    n = len(close)
    out = np.full(n, np.nan)
    if n < 2:
        return out
    level, doubt = close[0], 1.0
    for t in range(1, n):
        doubt = doubt + noise
        gain = doubt / (doubt + 1.0)
        level += gain * (close[t] - level)
        doubt = (1.0 - gain) * doubt
        out[t] = close[t] / level - 1.0
    return out
'''.replace("level, doubt = close[0], 1.0", "level = close[0]\n    doubt = 1.0"),
    '''
def volume_shock(close, volume, period: (5, 300) = 50):
    """Move of the bar times how unusual its volume is, in logarithms."""
    n = close.shape[0]
    move = np.log(close)
    total = 0.0
    out = np.full(n, np.nan)
    ring = np.zeros(period)
    for t in range(n):
        total += volume[t] - ring[t % period]
        ring[t % period] = volume[t]
        if t < period or total <= 0.0 or volume[t] <= 0.0:
            continue
        out[t] = (move[t] - move[t - 1]) * math.log(volume[t] * period / total)
    return out
''',
)
"""Functions that a person would write, which nothing may refuse."""
