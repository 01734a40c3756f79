"""The circuit breaker, the time of a chain and the log of calls, through `ask`, as the ensemble uses them."""

import json
from datetime import UTC, datetime

import pytest
from pydantic import BaseModel

from nodes.ensemble.context import EnsembleContext
from nodes.seam.ask import Abstention, Question, ask
from prompts import Prompt
from providers import calling, calls_log, deadlines, opening
from providers.calls_log import CallsLog, Outcome, append_line, read_lines
from providers.errors import DeadlineError, RetryableError, UnavailableError
from providers.oversight import FEWEST_TRIES, RETRY_SECONDS, breaker
from tests.openai_server import Scripted, openai_server
from tests.scripted import scripted_models
from threadx.command import main
from threadx.work import doctor

HOUR, DAY = 3600.0, 86_400.0
START = datetime(2026, 3, 2, 12, tzinfo=UTC).timestamp()
MODEL, OTHER = "g4f:deepseek-r1", "g4f:glm-4.5"


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self, at):
        self.at = at

    def __call__(self):
        return self.at


@pytest.fixture
def clock(monkeypatch):
    found = Clock(START)
    monkeypatch.setattr(calls_log, "now", found)
    monkeypatch.setattr(deadlines, "clock", found)
    return found


class Told(BaseModel):
    value: int


def question(**more):
    prompt = Prompt(name="ensemble/macro", language="fr", system="s", user="u")
    fields = {"role": "macro", "schema": Told, "evidence": {}, "policy": lambda given: Told(value=0)}
    return Question(prompt=prompt, **{"watched": True, "unattended": True, **fields, **more})


def put(home, model, *codes, at=START, step=0.0):
    """Tries of the past in the log, one a code, the last one at a time; an empty code is an answer."""
    for place, code in enumerate(reversed(codes)):
        moment = datetime.fromtimestamp(at - place * step, UTC)
        append_line(
            home / "logs" / f"calls-{moment:%Y%m%d}.log",
            {
                "time": moment.isoformat(),
                "model": model,
                "outcome": "error" if code else "answered",
                "code": code,
            },
        )


def codes(answer):
    return [(attempt.model, attempt.code) for attempt in answer.provenance.attempts]


def outcomes(*codes, step=HOUR):
    return [Outcome(START + place * step, not code, code) for place, code in enumerate(codes)]


@pytest.mark.parametrize(
    ("record", "is_open"),
    [
        pytest.param([], False, id="nothing known"),
        pytest.param(["time_out"] * (FEWEST_TRIES - 1), False, id="too few tries"),
        pytest.param(["time_out"] * FEWEST_TRIES, True, id="always late"),
        pytest.param(["", "time_out"] * 5, False, id="half of the tries"),
        pytest.param(["", "time_out"] * 5 + ["time_out"], True, id="more than half"),
        pytest.param([*["time_out"] * FEWEST_TRIES, ""], False, id="a success closes it"),
        pytest.param([*["time_out"] * 20, "", "time_out"], False, id="and begins the record anew"),
        pytest.param([*[""] * 50, "limit_notice"], True, id="one limit notice opens it"),
        pytest.param([*[""] * 50, "payment_required", ""], False, id="until an answer comes"),
    ],
)
def test_breaker(record, is_open):
    assert breaker(outcomes(*record)).is_open is is_open


@pytest.mark.parametrize(
    ("times", "is_open"),
    [
        pytest.param([0.0] * 12, False, id="one bad minute"),
        pytest.param([place * 300.0 for place in range(12)], False, id="one bad hour"),
        pytest.param([0.0] * 6 + [HOUR] * 6, False, id="two bad runs"),
        pytest.param([0.0] * 4 + [HOUR] * 4 + [2 * HOUR] * 4, True, id="three bad runs"),
        pytest.param([place * 900.0 for place in range(40)], True, id="a run without an end"),
    ],
)
def test_what_one_bad_run_did_opens_nothing(times, is_open):
    assert breaker(Outcome(START + at, False, "time_out") for at in times).is_open is is_open


def test_a_reset_begins_the_record_anew():
    record = [*outcomes(*["time_out"] * 20), Outcome(START + 21 * HOUR, False, "reset")]
    assert breaker(record).is_open is False
    again = [*record, *(Outcome(START + (22 + hour) * HOUR, False, "time_out") for hour in range(9))]
    assert breaker(again).is_open is False
    assert breaker([*again, Outcome(START + 31 * HOUR, False, "time_out")]).is_open


def test_a_wait_that_the_service_names_is_taken_at_its_word():
    asked = [Outcome(START, False, "rate_limited", retry_after=600.0)]
    assert (breaker(asked).is_open, breaker(asked).retry_at) == (True, START + 600.0)
    assert not breaker([Outcome(START, False, "rate_limited", retry_after=20.0)]).is_open


def test_a_server_of_ones_own_that_is_off_trips_nothing():
    absent = outcomes(*["unreachable"] * 30)
    assert not breaker(absent, local=True).is_open
    assert breaker(absent).is_open


def test_a_model_with_a_bad_record_is_left_out_and_tried_again_later(tmp_path, monkeypatch, clock):
    context = EnsembleContext(home=str(tmp_path))
    script = scripted_models(monkeypatch, {MODEL: ['{"value": 1}'] * 2, OTHER: ['{"value": 2}'] * 2})
    put(tmp_path, MODEL, *["time_out"] * FEWEST_TRIES, step=HOUR)
    clock.at = START + HOUR
    first = ask(question(), chain=(MODEL, OTHER), context=context)
    assert (first.value.value, codes(first)) == (2, [(MODEL, "breaker_open"), (OTHER, "")])
    assert script.order == [OTHER]
    clock.at = START + RETRY_SECONDS
    second = ask(question(fresh=True), chain=(MODEL, OTHER), context=context)
    assert second.value.value == 1
    clock.at += 60.0
    assert ask(question(fresh=True), chain=(MODEL, OTHER), context=context).value.value == 1


@pytest.mark.model
def test_a_persons_run_tries_what_a_timer_leaves_out(tmp_path, monkeypatch, clock):
    monkeypatch.setattr(calling, "pause", lambda seconds: None)
    bad, good = Scripted(text="Daily limit reached."), Scripted(text='{"value": 3}')
    with openai_server(*[bad] * 2, good) as server:
        context = EnsembleContext(home=str(tmp_path), openai_base_url=server.url)

        def asked(**more):
            return ask(question(fresh=True, **more), chain=("openai:small",), context=context)

        assert codes(asked()) == [("openai:small", "limit_notice")]
        clock.at += 60.0
        left_out = asked().provenance.attempts[0]
        assert (left_out.code, left_out.fields["hours"]) == ("breaker_open", 3.0)
        assert codes(asked(unattended=False)) == [("openai:small", "limit_notice")]
        clock.at += 60.0
        assert asked(unattended=False).value.value == 3
        assert asked().value.value == 3  # what a person found out counts for the timer too
    assert len(server.requests) == 4


@pytest.mark.model
def test_rubbish_answers_are_the_models_not_the_services(tmp_path, monkeypatch, clock):
    monkeypatch.setattr(calling, "pause", lambda seconds: None)
    with openai_server(Scripted(text="No idea.")) as server:
        context = EnsembleContext(home=str(tmp_path), openai_base_url=server.url)
        for _ in range(8):
            answer = ask(question(fresh=True), chain=("openai:small",), context=context)
            clock.at += HOUR
    assert {code for _, code in codes(answer)} == {"no_json"}


def test_while_one_call_finds_out_its_sisters_wait(tmp_path, monkeypatch, clock):
    context = EnsembleContext(home=str(tmp_path))
    put(tmp_path, MODEL, "limit_notice")
    clock.at = START + RETRY_SECONDS
    found = []

    def sister(request):
        found.append(ask(question(fresh=True), chain=(MODEL,), context=context))
        return '{"value": 1}'

    scripted_models(monkeypatch, {MODEL: [sister, '{"value": 1}']})
    assert ask(question(), chain=(MODEL,), context=context).value.value == 1
    assert codes(found[0]) == [(MODEL, "breaker_open")]


@pytest.mark.parametrize("age", [8 * DAY, -2 * HOUR], ids=["older than seven days", "later than now"])
def test_what_is_too_old_or_not_yet_does_not_count(tmp_path, monkeypatch, clock, age):
    put(tmp_path, MODEL, *["time_out"] * 30, at=START - age)
    scripted_models(monkeypatch, {MODEL: ['{"value": 1}']})
    assert ask(question(), chain=(MODEL,), context=EnsembleContext(home=str(tmp_path))).value.value == 1


NOTICES = [
    "You have reached your daily limit. Please sign in to continue.",
    "Rate limit exceeded, try again in 20 minutes",
    "Too many requests. Upgrade your plan for more.",
    "Vous avez atteint la limite : limite d'utilisation dépassée.",
    "The free limit is exhausted for this model.",
]


@pytest.mark.parametrize("notice", NOTICES)
def test_a_limit_notice_as_ordinary_text_leaves_the_model_out(tmp_path, monkeypatch, clock, notice):
    context = EnsembleContext(home=str(tmp_path))
    script = scripted_models(monkeypatch, {MODEL: [notice], OTHER: ['{"value": 2}'] * 2})
    for _ in range(2):
        assert ask(question(fresh=True), chain=(MODEL, OTHER), context=context).value.value == 2
    assert script.order == [MODEL, OTHER, OTHER]


def test_slow_models_share_the_time_of_the_chain(tmp_path, monkeypatch, clock):
    deadlines_seen = []

    def slow(model, seconds):
        def step(request):
            clock.at += seconds
            return DeadlineError("time_out", model=model, seconds=seconds)

        return step

    names = [MODEL, "g4f:qwen-2.5-72b", OTHER]
    script = scripted_models(
        monkeypatch, {name: [slow(name, 30.0)] for name in names} | {"ollama:m": ['{"value": 9}']}
    )
    note_deadlines(monkeypatch, deadlines_seen)
    answer = ask(
        question(hosted_seconds=45.0), chain=(*names, "ollama:m"), context=EnsembleContext(home=str(tmp_path))
    )
    assert answer.value.value == 9
    # Thirty seconds, then the fifteen that are left, then nobody hosted is asked any more.
    assert script.order == [MODEL, "g4f:qwen-2.5-72b", "ollama:m"]
    assert deadlines_seen == [30.0, 15.0, 30.0]
    assert codes(answer)[2] == (OTHER, "no_time_left")


def note_deadlines(monkeypatch, seen):
    """Note the deadline with which each model is opened."""
    inner = opening.open_model

    def open_model(reference, request, settings):
        seen.append(settings.hosted_seconds)
        return inner(reference, request, settings)

    monkeypatch.setattr(opening, "open_model", open_model)


def test_no_retry_that_would_come_too_late(tmp_path, monkeypatch, clock):
    def busy(request):
        clock.at += 20.0
        return RetryableError("rate_limited", model=MODEL, detail="")

    script = scripted_models(monkeypatch, {MODEL: [busy, busy, busy]})
    answer = ask(question(hosted_seconds=21.0), chain=(MODEL,), context=EnsembleContext(home=str(tmp_path)))
    assert isinstance(answer, Abstention)
    assert len(script.order) == 1


@pytest.mark.model
def test_a_server_that_stalls_ends_with_the_chains_time(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    monkeypatch.setattr("providers.openai.is_local", lambda url: False)  # a hosted service, on this machine
    with openai_server(Scripted(stall=True)) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        context = EnsembleContext(home=str(tmp_path), openai_base_url=server.url)
        answer = ask(question(hosted_seconds=0.3), chain=("openai:a", "openai:b"), context=context)
    assert codes(answer) == [("openai:a", "time_out"), ("openai:b", "no_time_left")]
    assert len(server.requests) == 1


def test_one_line_a_try(tmp_path, monkeypatch, clock):
    scripted_models(
        monkeypatch,
        {MODEL: [RetryableError("server_error", model=MODEL, status=500, detail=""), "{}", '{"value": 1}']},
    )
    ask(question(), chain=(OTHER, MODEL), context=EnsembleContext(home=str(tmp_path)))
    lines = list(read_lines(tmp_path / "logs/calls-20260302.log"))
    told = [(line["model"], line["attempt"], line["outcome"], line["code"]) for line in lines]
    assert told == [
        (OTHER, 1, "error", "unreachable"),
        (MODEL, 1, "error", "server_error"),
        (MODEL, 2, "invalid", "invalid_schema"),
        (MODEL, 3, "answered", ""),
    ]
    assert {line["role"] for line in lines} == {"macro"}


def test_an_answer_from_the_cache_is_logged_and_counts_for_nothing(tmp_path, monkeypatch, clock):
    context = EnsembleContext(home=str(tmp_path))
    scripted_models(monkeypatch, {MODEL: ['{"value": 1}']})
    for _ in range(2):
        ask(question(), chain=(MODEL,), context=context)
    assert [line["cached"] for line in CallsLog(tmp_path / "logs").lines(DAY)] == [False, True]
    assert len(CallsLog(tmp_path / "logs").outcomes(MODEL, DAY)) == 1


def test_a_person_who_asks_again_gets_a_new_answer_which_is_kept(tmp_path, monkeypatch, clock):
    context = EnsembleContext(home=str(tmp_path))
    scripted_models(monkeypatch, {MODEL: ['{"value": 1}', '{"value": 2}']})
    said = [
        ask(question(fresh=fresh), chain=(MODEL,), context=context).value.value
        for fresh in (False, False, True, False)
    ]
    assert said == [1, 1, 2, 2]


def test_half_a_line_spoils_no_other(tmp_path, clock):
    log = CallsLog(tmp_path)
    log.append({"model": MODEL, "outcome": "answered", "code": ""})
    path = tmp_path / "calls-20260302.log"
    path.write_bytes(path.read_bytes() + b'{"model": "g4f:dee')
    log.append({"model": MODEL, "outcome": "error", "code": "time_out"})
    assert [one.code for one in log.outcomes(MODEL, DAY)] == ["", "time_out"]
    assert [
        json.loads(line)["outcome"]
        for line in path.read_text(encoding="utf-8").splitlines()
        if line.endswith("}")
    ] == [
        "answered",
        "error",
    ]


def test_old_files_go_when_a_new_day_begins(tmp_path, clock):
    log = CallsLog(tmp_path)
    for days in (200, 100, 10, 0):
        clock.at = START - days * DAY
        log.append({"model": MODEL, "outcome": "answered", "code": ""})
    assert len(list(tmp_path.glob("calls-*.log"))) == 2


def test_unwatched_questions_keep_no_log(tmp_path, monkeypatch):
    scripted_models(monkeypatch, {MODEL: [UnavailableError("unreachable", model=MODEL, address="x")]})
    ask(question(watched=False), chain=(MODEL, "rules"), context=EnsembleContext(home=str(tmp_path)))
    assert not (tmp_path / "logs").exists()


def test_doctor_tells_which_are_left_out_and_a_person_closes_them(tmp_path, monkeypatch, clock, capsys):
    monkeypatch.setattr(doctor, "check_all", lambda references, settings: [])  # it would ask the network
    home = ["--home", str(tmp_path), "--language", "en"]

    def threadx(*arguments):
        with pytest.raises(SystemExit) as left:
            main([*arguments, *home])
        assert left.value.code == 0
        return " ".join(capsys.readouterr().out.split())

    put(tmp_path, MODEL, "limit_notice")
    clock.at += HOUR
    told = threadx("doctor")
    assert f"{MODEL}: circuit breaker open" in told
    assert "try again in 2 h" in told
    assert f"threadx models reset {MODEL}" in told
    assert threadx("models", "reset") == f"{MODEL}: circuit breaker closed."
    assert "circuit breaker open" not in threadx("doctor")
    assert threadx("models", "reset") == "No circuit breaker is open."
