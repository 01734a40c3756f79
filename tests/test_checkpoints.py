"""What an interrupted run is taken up from."""

import sqlite3

from langgraph.checkpoint.sqlite import SqliteSaver

from tests.answers import by_role, turn
from tests.prices import made_up_prices
from tests.scripted import scripted_models
from threadx.runner import make_context, make_input, start_run


def written(tmp_path, monkeypatch, rounds):
    """(places of all checkpoints, turns spoken) of a run of one iteration whose voices never agree."""
    places = []
    put = SqliteSaver.put

    def watched(saver, config, *rest):
        stored = put(saver, config, *rest)
        places.append(config["configurable"]["checkpoint_ns"])
        return stored

    monkeypatch.setattr(SqliteSaver, "put", watched)

    def voice(stance):
        return lambda request: turn(stance) if "claims" in request.schema["properties"] else by_role(request)

    models = {"ollama:a": voice("continue"), "ollama:s": voice("stop"), "ollama:v": voice("continue")}
    scripted_models(monkeypatch, {name: [said] * 30 for name, said in models.items()})
    prices = tmp_path / "TEST_1h.csv"
    prices.parent.mkdir(exist_ok=True)
    made_up_prices(500, cycle=0.05).to_csv(prices)
    context = make_context(
        home=str(tmp_path / "h"),
        analyst="a",
        strategist="s",
        validator="v",
        max_iterations=1,
        debate_rounds=rounds,
        cache_hours=0.0,
    )
    spoken = []
    start_run(
        make_input(data=str(prices), run="r"),
        context,
        lambda event: spoken.append(event["id"]) if event["kind"] == "debate_turn" else None,
    )
    return list(places), len(spoken)


def test_a_debate_writes_no_checkpoints_however_long_it_is(tmp_path, monkeypatch):
    short, three = written(tmp_path / "a", monkeypatch, 1)
    long, twelve = written(tmp_path / "b", monkeypatch, 4)
    assert (three, twelve) == (3, 12)
    assert set(short) == {""}
    assert long == short


def test_a_finished_run_leaves_no_checkpoint_behind(tmp_path, monkeypatch):
    places, _ = written(tmp_path, monkeypatch, 1)
    assert places
    with sqlite3.connect(tmp_path / "h" / "checkpoints.sqlite") as connection:
        rows = [connection.execute(f"SELECT count(*) FROM {name}") for name in ("checkpoints", "writes")]
        assert [row.fetchone() for row in rows] == [(0,), (0,)]
    connection.close()
