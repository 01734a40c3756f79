"""An exchange on this machine: Binance's public endpoints for markets and klines, over made-up bars."""

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

MINUTES = {"30m": 30, "1h": 60, "1d": 1440}
SYMBOL = {
    "symbol": "BTCUSDT",
    "status": "TRADING",
    "baseAsset": "BTC",
    "baseAssetPrecision": 8,
    "quoteAsset": "USDT",
    "quotePrecision": 8,
    "quoteAssetPrecision": 8,
    "isSpotTradingAllowed": True,
    "isMarginTradingAllowed": False,
    "permissions": ["SPOT"],
    "filters": [
        {"filterType": "PRICE_FILTER", "tickSize": "0.01", "minPrice": "0.01", "maxPrice": "1000000"}
    ],
}


def bar(number):
    """Open, high, low, close and volume of the bar that begins `number` steps after 1970."""
    low = 100 + number % 50
    return low + 1, low + 3, low, low + 2, 1 + number % 7


class Exchange:
    """What the server does.

    Attributes:
        listed: first millisecond at which something was traded.
        now: bars that begin later do not exist.
        fail_after: answers given before everything fails with 503; None for never.
        asked: (path, query) of every request.
    """

    def __init__(self, listed, now, fail_after=None):
        self.listed, self.now, self.fail_after = listed, now, fail_after
        self.asked = []

    def answer(self, path, query):
        if path.endswith("/exchangeInfo"):
            return 200, {"timezone": "UTC", "symbols": [SYMBOL], "rateLimits": [], "exchangeFilters": []}
        if not path.endswith("/klines"):
            return 404, {"code": -1, "msg": path}
        if self.fail_after is not None:
            if self.fail_after == 0:
                return 503, {"code": -1, "msg": "busy"}
            self.fail_after -= 1
        step = MINUTES[query["interval"]] * 60_000
        first = max(int(query["startTime"]), self.listed)
        number = -(-first // step)
        rows = []
        while len(rows) < int(query["limit"]) and number * step <= self.now:
            prices = [f"{value:.8f}" for value in bar(number)]
            close_time = (number + 1) * step - 1
            rows.append([number * step, *prices, close_time, "0", 1, "0", "0", "0"])
            number += 1
        return 200, rows


@contextmanager
def serve(answer):
    """A server's address while the block runs; `answer(path, query)` gives status and body."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            parts = urlsplit(self.path)
            status, body = answer(parts.path, {k: v[0] for k, v in parse_qs(parts.query).items()})
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
