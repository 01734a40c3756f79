"""Models in files: how they are named, what is read of them, what is refused, and one that answers."""

from __future__ import annotations

import hashlib
import json
import struct
from pathlib import Path
from typing import Any

import pytest

from base.references import joined, listed, placed
from prompts import Words
from providers import ProviderError, ProviderSettings, Reference, Request, check, memory, parse_reference
from providers.calling import call_once
from providers.embedded import model_file
from providers.installed import model_files
from tests.gguf_files import SMALL, gguf

GIB = 1024**3


def reference(path: Path) -> Reference:
    return parse_reference(f"embedded:{path}")


def refused(path: Path) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        model_file(reference(path))
    return caught.value


@pytest.mark.parametrize(
    "path", [r"C:\m\x.gguf", r"\\host\m\x.GGUF", "/m/of mine, 1.gguf", "./x.gguf", "~/x.gguf", "x.gguf"]
)
def test_a_path_is_a_model(path: str) -> None:
    assert parse_reference(f"Embedded: {path}") == Reference("embedded", path)


@pytest.mark.parametrize("model", ["gpt", "x.bin", "x.gguf.part", "/m/x"])
def test_what_is_no_model_file_is_refused_by_its_name(model: str) -> None:
    with pytest.raises(ProviderError) as caught:
        parse_reference(f"embedded:{model}")
    assert caught.value.fields["known"] == "smollm2, *.gguf, ollama/*"


@pytest.mark.parametrize(
    ("text", "chain"),
    [
        ("embedded:/m/a b.gguf,rules", ("embedded:/m/a b.gguf", "rules")),
        ('"embedded:/m/a, b.gguf", rules', ("embedded:/m/a, b.gguf", "rules")),
        ('rules ,"embedded:C:\\a,b\\x.gguf"', ("rules", "embedded:C:\\a,b\\x.gguf")),
        (' , "" ,a,,', ("a",)),
        ("", ()),
    ],
)
def test_commas_separate_but_for_those_in_quotes(text: str, chain: tuple[str, ...]) -> None:
    assert listed(text) == chain
    assert listed(joined(chain)) == chain


def test_a_path_keeps_its_place_whatever_folder_a_run_goes_on_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "me"))
    assert placed("embedded:m/x.gguf") == f"embedded:{tmp_path / 'm' / 'x.gguf'}"
    assert placed("embedded:~/x.gguf") == f"embedded:{tmp_path / 'me' / 'x.gguf'}"
    assert placed(placed("embedded:m/x.gguf")) == placed("embedded:m/x.gguf")
    for untouched in (
        "embedded:C:\\m\\x.gguf",
        "embedded:smollm2",
        "embedded:ollama/x.gguf",
        "ollama:x.gguf",
    ):
        assert placed(untouched) == untouched


def test_what_a_file_declares_is_read(tmp_path: Path) -> None:
    gguf(tmp_path / "models" / "x.gguf")
    (one,) = model_files(ProviderSettings(model_files=tmp_path / "models"))
    assert (one.window, one.quantisation) == (40_960, "Q4_K_M")
    assert one.size == (tmp_path / "models" / "x.gguf").stat().st_size


@pytest.mark.parametrize(
    ("declared", "memory_bytes", "window"),
    [
        (2048, 16 * GIB, 2048),
        (16_384, 16 * GIB, 16_384),
        (1_000_000, 16 * GIB, 32_768),  # none of ours takes more
        # 2 bytes x 32 layers x 8 heads x (128 + 128) are 128 KiB a token: 32,768 of them take 4 GiB.
        (131_072, 3 * GIB, 16_384),
        (131_072, 1 * GIB, 4096),
    ],
)
def test_the_window_is_the_declared_one_as_far_as_memory_goes(
    declared: int, memory_bytes: int, window: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wide = {"llama.block_count": 32, "llama.embedding_length": 4096, "llama.attention.head_count": 32}
    said = SMALL | wide | {"llama.attention.head_count_kv": 8, "llama.context_length": declared}
    monkeypatch.setattr(memory, "machine_bytes", lambda: memory_bytes)
    assert model_file(reference(gguf(tmp_path / "x.gguf", said))).window == window


def test_heads_may_differ_by_layer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = SMALL | {"llama.attention.head_count_kv": [8, 0], "llama.attention.key_length": 128}
    said |= {"llama.attention.value_length": 64, "llama.context_length": 4096}
    path = gguf(tmp_path / "x.gguf", said)
    needed = model_file(reference(path)).needed
    assert needed - model_file(reference(gguf(tmp_path / "y.gguf"))).needed == pytest.approx(
        2 * 4096 * 8 * (128 + 64) - 2 * 32_768 * 4 * (16 + 16), abs=4096
    )


def test_what_memory_does_not_hold_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "machine_bytes", lambda: GIB // 8)
    error = refused(gguf(tmp_path / "x.gguf"))
    assert error.code == "too_large_for_memory"
    assert "0.3 GiB" in Words("en").told(error)
    assert "0.1 GiB" in Words("en").told(error)
    assert "0,3 Gio" in Words("fr").told(error)
    assert "0,1 Gio" in Words("fr").told(error)


def test_a_file_that_is_none_is_one_clear_sentence(tmp_path: Path) -> None:
    whole = gguf(tmp_path / "x.gguf").read_bytes()
    (tmp_path / "folder.gguf").mkdir()
    cases = {"no_gguf_file": [b"", b"GGU", b"PK\3\4" + whole], "broken_gguf": []}
    cases["broken_gguf"] = [whole[:cut] for cut in range(4, len(whole) - 4096, 7)]
    huge = struct.pack("<Q", 2**63 - 1)
    cases["broken_gguf"] += [
        whole[:4] + struct.pack("<I", 99) + whole[8:],
        whole[:8] + huge + whole[16:],  # tensors
        whole[:16] + huge + whole[24:],  # keys
        whole[:24] + huge + whole[32:],  # letters of the first key
        whole.replace(struct.pack("<IQ", 8, 3), struct.pack("<IQ", 8, 2**40)),  # words
        whole.replace(struct.pack("<IQ", 8, 3), struct.pack("<IQ", 9, 3)),  # a list of lists
    ]
    for code, contents in cases.items():
        for number, content in enumerate(contents):
            path = tmp_path / f"{code}{number}.gguf"
            path.write_bytes(content)
            error = refused(path)
            assert error.code == code, number
            assert str(path) in Words("fr").told(error)
    assert refused(tmp_path / "folder.gguf").code == "no_model_file"
    assert refused(tmp_path / "none.gguf").code == "no_model_file"
    assert refused(Path("a\0b.gguf")).code == "no_model_file"


def test_a_download_that_broke_off_is_known_by_its_size(tmp_path: Path) -> None:
    path = gguf(tmp_path / "x.gguf", weights=64, tensors=(0, 32, 4096))
    assert refused(path).code == "broken_gguf"


@pytest.mark.parametrize(
    ("said", "kind"),
    [({"general.type": "adapter"}, "adapter"), ({"general.architecture": "clip"}, "mmproj")],
)
def test_what_is_no_language_model_says_what_it_is(said: dict[str, Any], kind: str, tmp_path: Path) -> None:
    error = refused(gguf(tmp_path / "x.gguf", SMALL | said))
    assert (error.code, error.fields["kind"]) == ("no_model_in_file", kind)


def test_a_file_without_weights_holds_no_model(tmp_path: Path) -> None:
    assert refused(gguf(tmp_path / "vocabulary.gguf", tensors=())).code == "no_weights_in_file"
    assert model_files(ProviderSettings(model_files=tmp_path)) == []
    gguf(tmp_path / "y-00001-of-00002.gguf", tensors=())  # the first part may hold the header alone
    gguf(tmp_path / "y-00002-of-00002.gguf", {"split.no": 2})
    assert model_file(reference(tmp_path / "y-00001-of-00002.gguf")).window == 32_768


def test_a_split_model_is_its_parts(tmp_path: Path) -> None:
    names = [f"x-{one:05}-of-00003.gguf" for one in (1, 2, 3)]
    for name in names[:2]:
        gguf(tmp_path / name)
    assert refused(tmp_path / names[0]).code == "broken_gguf"
    gguf(tmp_path / names[2], {"split.no": 2})
    (one,) = model_files(ProviderSettings(model_files=tmp_path))
    assert one.reference == f"embedded:{tmp_path / names[0]}"
    assert one.size == sum((tmp_path / name).stat().st_size for name in names)


def put_into_ollama(folder: Path, name: str, content: bytes, *, media: str = "model") -> Path:
    """A model as `ollama pull` leaves it: NAME is HOST/OWNER/MODEL/TAG."""
    digest = hashlib.sha256(content).hexdigest()
    blob = folder / "blobs" / f"sha256-{digest}"
    blob.parent.mkdir(parents=True, exist_ok=True)
    blob.write_bytes(content)
    layers = [
        {"mediaType": "application/vnd.ollama.image.license", "digest": "sha256:" + 64 * "0", "size": 1},
        {"mediaType": f"application/vnd.ollama.image.{media}", "digest": f"sha256:{digest}", "size": 1},
    ]
    manifest = folder / "manifests" / name
    manifest.parent.mkdir(parents=True, exist_ok=True)
    manifest.write_text(json.dumps({"schemaVersion": 2, "layers": layers}), encoding="utf-8")
    return blob


@pytest.fixture
def ollamas(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OLLAMA_MODELS", str(tmp_path / "ollama"))
    return tmp_path / "ollama"


def test_a_model_of_ollama_is_found_by_its_name(ollamas: Path, tmp_path: Path) -> None:
    content = gguf(tmp_path / "x.gguf").read_bytes()
    kept = {
        "qwen2.5:7b": "registry.ollama.ai/library/qwen2.5/7b",
        "gemma3": "registry.ollama.ai/library/gemma3/latest",
        "me/mine:v1": "registry.ollama.ai/me/mine/v1",
        "hf.co/some/Model-GGUF:Q4_K_M": "hf.co/some/Model-GGUF/Q4_K_M",
    }
    blobs = {name: put_into_ollama(ollamas, place, content) for name, place in kept.items()}
    put_into_ollama(ollamas, "registry.ollama.ai/library/none/latest", b"{}", media="params")
    for name, blob in blobs.items():
        assert model_file(parse_reference(f"embedded:ollama/{name}")).path == blob
    assert [one.reference for one in model_files(ProviderSettings())] == [
        "embedded:ollama/hf.co/some/Model-GGUF:Q4_K_M",
        "embedded:ollama/gemma3:latest",
        "embedded:ollama/qwen2.5:7b",
        "embedded:ollama/me/mine:v1",
    ]


NO_NAMES = (
    *("../secret", "a/../../b", "/etc/passwd", "..:x", "a:..", "C:x:y", "a\\b", "", ":", "a/"),
    *("a/b/c/d/e", "a\0b", "../../x.gguf", "../../../etc/passwd"),
)
"""What no model of Ollama's can be called; most would be ways out of its folder."""


@pytest.mark.parametrize("name", ["qwen2.5:14b", "x:" + "y" * 5000, *NO_NAMES])
def test_what_ollama_does_not_have_is_not_looked_for_elsewhere(name: str, ollamas: Path) -> None:
    put_into_ollama(ollamas, "registry.ollama.ai/library/qwen2.5/7b", b"")
    (ollamas.parent / "secret").write_text("{}", encoding="utf-8")
    with pytest.raises(ProviderError) as caught:
        model_file(parse_reference(f"embedded:ollama/{name}"))
    assert caught.value.code == ("no_model_name" if name in NO_NAMES else "not_in_store")


@pytest.mark.parametrize(
    "manifest",
    ["", "[]", "{}", '{"layers": 5}', '{"layers": [5]}', '{"layers": [{"mediaType": "x"}]}', "[" * 9000]
    + [
        json.dumps({"layers": [{"mediaType": "application/vnd.ollama.image.model", "digest": digest}]})
        for digest in ("", "sha256:../../x", 5, "sha256:" + "0" * 64)
    ],
)
def test_a_manifest_may_say_anything(manifest: str, ollamas: Path) -> None:
    path = ollamas / "manifests" / "registry.ollama.ai" / "library" / "x" / "latest"
    path.parent.mkdir(parents=True)
    path.write_text(manifest, encoding="utf-8")
    assert check("embedded:ollama/x", ProviderSettings()).code == "not_in_store"
    assert not any("ollama/" in one.reference for one in model_files(ProviderSettings()))


WORD: dict[str, Any] = {
    "type": "object",
    "properties": {"word": {"type": "string", "maxLength": 8}, "count": {"type": "integer", "minimum": 3}},
    "required": ["word", "count"],
}


def request(**more: Any) -> Request:
    told = {"role": "analyst", "system": "You answer.", "user": "Say a word.", "schema": WORD}
    return Request(**{**told, "schema_words": "The schema:", **more})


@pytest.mark.model
def test_a_file_answers_in_its_own_window_by_its_own_template_within_the_schema(
    tmp_path: Path, ollamas: Path
) -> None:
    """A copy with another window and another template than the packaged model, at a path with blanks."""
    pytest.importorskip("xllamacpp", reason="the embedded extra is not installed")
    content = model_file(parse_reference("embedded:smollm2")).path.read_bytes()
    window = b"llama.context_length" + struct.pack("<II", 4, 8192)
    changed = content.replace(window, window[:-4] + struct.pack("<I", 512), 1)
    marks = b"+ message['content'] + '<|im_end|>'"
    changed = changed.replace(marks, b"+ message['content'] + '" + b"# " * 5 + b"'", 1)
    assert len(changed) == len(content)
    path = tmp_path / "a model, of mine.gguf"
    path.write_bytes(changed)
    own = reference(path)
    assert check(str(own), ProviderSettings()).ok
    with pytest.raises(ProviderError) as caught:
        call_once(own, request(user="word " * 600), ProviderSettings())
    assert caught.value.code == "prompt_too_long"
    assert caught.value.fields["context"] == 512

    put_into_ollama(ollamas, "registry.ollama.ai/library/twin/latest", content)
    answers = {
        one: call_once(parse_reference(one), request(), ProviderSettings())
        for one in (str(own), "embedded:ollama/twin")
    }
    for answer in answers.values():
        said = json.loads(answer.text)
        assert said.keys() == {"word", "count"}
        assert said["count"] >= 3
        assert len(said["word"]) <= 8
    # Both were told the same in other words: each mark of the changed template takes more tokens.
    counts = [answer.prompt_tokens or 0 for answer in answers.values()]
    assert counts[0] > counts[1]
    # A file is shown the shape of its answer, which is most of this prompt.
    assert counts[1] > 40


@pytest.mark.model
def test_what_the_library_cannot_load_is_told_as_that(tmp_path: Path) -> None:
    pytest.importorskip("xllamacpp", reason="the embedded extra is not installed")
    with pytest.raises(ProviderError) as caught:
        call_once(reference(gguf(tmp_path / "x.gguf")), request(), ProviderSettings())
    assert caught.value.code == "broken_gguf"
