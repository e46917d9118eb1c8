from __future__ import annotations

import gzip
import io

import msgspec
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tests.sources.dumps import node, pod
from ullage.errors import InputError
from ullage.sources.documents import items, read


def kinds_and_names(data: bytes) -> list[tuple[str, str]]:
    found = []
    for item in items(data, "file"):
        decoded = msgspec.json.decode(item.raw)
        found.append((item.kind, decoded["metadata"]["name"]))
    return found


def refused(data: bytes) -> InputError:
    with pytest.raises(InputError) as caught:
        list(items(data, "file"))
    assert str(caught.value).startswith("file: ")
    return caught.value


NODE, POD = msgspec.json.encode(node("a")), msgspec.json.encode(pod("b"))


class TestJson:
    def test_one_object(self):
        assert kinds_and_names(NODE) == [("Node", "a")]

    def test_a_list_hands_on_its_items_one_by_one(self):
        data = b'{"apiVersion": "v1", "kind": "List", "items": [' + NODE + b"," + POD + b"]}"
        assert kinds_and_names(data) == [("", "a"), ("", "b")]

    def test_a_typed_list_names_the_kind_of_its_items(self):
        data = b'{"items": [{"metadata": {"name": "n1"}}], "kind": "NodeMetricsList"}'
        assert kinds_and_names(data) == [("NodeMetrics", "n1")]

    @pytest.mark.parametrize("between", [b"", b"\n", b"\r\n \t", b"\n\n"])
    def test_objects_one_after_the_other(self, between):
        data = NODE + between + POD + between + b'{"kind":"PodList","items":[' + POD + b"]}" + between
        assert kinds_and_names(data) == [("Node", "a"), ("Pod", "b"), ("Pod", "b")]

    def test_objects_in_many_lines(self):
        data = b"\n".join(msgspec.json.format(each, indent=2) for each in (NODE, POD))
        assert kinds_and_names(data) == [("Node", "a"), ("Pod", "b")]

    @pytest.mark.parametrize("listed", [b"null", b"[]"])
    def test_an_empty_list_holds_nothing(self, listed):
        assert list(items(b'{"kind": "PodList", "items": ' + listed + b"}", "file")) == []

    def test_a_byte_order_mark_is_passed_over(self):
        assert kinds_and_names(b"\xef\xbb\xbf" + NODE) == [("Node", "a")]

    def test_objects_of_a_list_stay_undecoded(self):
        found = list(items(b'{"kind": "List", "items": [1, {"kind": 5}, "x"]}', "file"))
        assert [bytes(item.raw) for item in found] == [b"1", b'{"kind": 5}', b'"x"']


class TestRefused:
    def test_cut_off(self):
        error = refused(NODE[:-10])
        assert "cut off" in str(error)
        assert f"after {len(NODE) - 10} bytes" in str(error)

    def test_broken_syntax_says_where(self):
        assert "expected ':' at line 2, column 6 (byte 7)" in str(refused(b'{\n "a" 1}'))

    def test_broken_second_object_says_where_in_the_file(self):
        assert "line 3, column 6 (byte 14)" in str(refused(b'{"a":1}\n\n{"b" 2}'))

    @pytest.mark.parametrize("data", [b"", b" \n\t\r\n", b"\xef\xbb\xbf"])
    def test_empty(self, data):
        assert "is empty" in str(refused(data))

    @pytest.mark.parametrize("data", [b"[1, 2]", b'"text"', b"12", b"just text", b"- a\n- b\n"])
    def test_something_else_than_objects(self, data):
        error = refused(data)
        assert "object" in str(error) or "neither JSON nor a YAML mapping" in str(error)
        assert "kubectl" in error.hint

    def test_not_utf8(self):
        assert "line 1, column 7 (byte 6)" in str(refused(b'{"a":"\xff"}'))

    def test_not_utf8_across_a_piece(self):
        text = b'{"a":"' + b"x" * (2**20 - 7) + b"\xe2\x82"
        assert f"(byte {2**20 - 1})" in str(refused(text + b'"}'))
        assert len(list(items(text + b'\xac"}', "file"))) == 1

    def test_utf16_as_powershell_writes_it(self):
        assert "PowerShell" in refused("{}".encode("utf-16")).hint

    @pytest.mark.parametrize(
        "bomb",
        [b'{"a":' * 100_000, b"[" * 100_000, b'{"a":' + b"[" * 100_000, b"- " * 100_000, b"a: " + b"[" * 100_000],
    )
    def test_nesting_bombs(self, bomb):
        assert "is nested too deeply" in str(refused(bomb)) or "something else than an object" in str(refused(bomb))

    def test_closed_nesting_bomb_inside_an_item(self):
        deep = b'{"kind":"List","items":[{"kind":"Pod","metadata":' + b"[" * 50_000 + b"]" * 50_000 + b"}]}"
        assert "is nested too deeply" in str(refused(deep))


class TestYaml:
    def test_documents_and_lists(self):
        text = "---\n".join(yaml.safe_dump(each) for each in ({"kind": "PodList", "items": [pod("b")]}, node("a")))
        assert kinds_and_names(("# comment\n---\n" + text + "---\n---\n").encode()) == [("Pod", "b"), ("Node", "a")]

    def test_scalars_keep_what_quantities_need(self):
        text = (
            b"a: 1.5\nb: 017\nc: 1:30\nd: no\ne: 12\nf: 1e3\ng: 2026-01-01\nh: ~\ni: true\nj: '5'\nk: .nan\n"
            b"l: 123456789012345678901\n"
        )
        (item,) = items(text, "file")
        assert msgspec.json.decode(item.raw) == {
            "a": "1.5", "b": "017", "c": "1:30", "d": "no", "e": 12, "f": "1e3", "g": "2026-01-01", "h": None, "i": True,
            "j": "5", "k": ".nan", "l": "123456789012345678901",
        }  # fmt: skip

    def test_aliases_are_refused_before_they_are_expanded(self):
        laughs = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
            f"{b}: &{b} [*{a},*{a},*{a},*{a},*{a},*{a},*{a}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
        )
        error = refused(laughs.encode())
        assert "alias at line 2, column 8" in str(error)
        assert "*a" in error.hint

    @pytest.mark.parametrize(
        ("text", "what"),
        [
            (b"a: [1, 2", "is not valid YAML"),
            (b"a: 'x", "is not valid YAML"),
            (b"a: \x00", "is not valid YAML"),
            (b"? {a: 1}\n: 2", "as a key at line 1"),
            (b"# nothing\n---\n", "holds no object"),
            (b"a: 1\n b: 2", "line 2"),
        ],
    )
    def test_refused(self, text, what):
        assert what in str(refused(text))

    def test_an_empty_key_is_a_key(self):
        (item,) = items(b"'': 1\nb: {'': 2, c: 3}\n", "file")
        assert msgspec.json.decode(item.raw) == {"": 1, "b": {"": 2, "c": 3}}


class TestRead:
    def test_plain_and_gzip_files(self, tmp_path):
        for name, content in (("plain.gz", NODE), ("zipped.json", gzip.compress(NODE))):
            (tmp_path / name).write_bytes(content)
            assert read(str(tmp_path / name)) == NODE

    def test_gzip_of_several_members_and_padding(self):
        data = gzip.compress(b"abc", mtime=0) + gzip.compress(b"def", mtime=0) + bytes(512)
        assert read("-", stdin=io.BytesIO(data)) == b"abcdef"

    def test_large_gzip(self):
        data = bytes(range(256)) * 20_000
        assert read("-", stdin=io.BytesIO(gzip.compress(data))) == data

    def test_a_gzip_bomb_is_refused_at_the_limit(self):
        bomb = gzip.compress(bytes(30_000_000))
        with pytest.raises(InputError, match="holds more than 977Ki") as caught:
            read("-", stdin=io.BytesIO(bomb), max_bytes=1_000_000)
        assert caught.value.hint

    def test_a_gzip_bomb_below_the_limit_is_refused_before_it_fills_the_memory(self):
        one = gzip.compress(bytes(2**26), mtime=0)
        with pytest.raises(InputError, match="grows to more than 250 times its size"):
            read("-", stdin=io.BytesIO(one * 5))

    def test_the_limit_itself_is_accepted(self):
        assert read("-", stdin=io.BytesIO(b"12345"), max_bytes=5) == b"12345"
        with pytest.raises(InputError, match="holds more than"):
            read("-", stdin=io.BytesIO(b"123456"), max_bytes=5)

    @pytest.mark.parametrize(
        "data",
        [
            gzip.compress(b"x" * 9999, mtime=0)[:-9],
            b"\x1f\x8bxxxxxxxx",
            b"\x1f\x8b",
            gzip.compress(b"a", mtime=0) + b"junk",
        ],
    )
    def test_broken_gzip(self, data):
        with pytest.raises(InputError, match="is not valid gzip"):
            read("-", stdin=io.BytesIO(data))

    def test_files_that_cannot_be_opened(self, tmp_path):
        for path in (str(tmp_path / "missing"), str(tmp_path), "a\0b"):
            with pytest.raises(InputError, match="cannot be read"):
                read(path)

    def test_what_may_be_meant_by_a_file_that_is_missing_is_said(self, tmp_path):
        (tmp_path / "cluster.json").write_bytes(NODE)
        wrong = {
            "clutser.json": f"did you mean {tmp_path / 'cluster.json'}?",
            "pods": "",
            "nowhere/cluster.json": f"there is no folder {tmp_path / 'nowhere'}",
            ".": "name the files in it",
        }
        for name, hint in wrong.items():
            with pytest.raises(InputError) as caught:
                read(str(tmp_path / name))
            assert caught.value.hint == hint


@given(st.binary(max_size=400) | st.text(max_size=300).map(str.encode))
def test_arbitrary_bytes_are_items_or_an_input_error(data):
    try:
        found = list(items(data, "file"))
    except InputError:
        return
    assert all(isinstance(bytes(item.raw), bytes) for item in found)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.lists(
        st.dictionaries(st.text(max_size=6).filter(lambda key: key not in ("kind", "items")), JSON_VALUES),
        min_size=1,
        max_size=4,
    )
)
def test_concatenated_objects_come_back_as_they_were(objects):
    data = b" ".join(msgspec.json.encode(each) for each in objects)
    assert [msgspec.json.decode(item.raw) for item in items(data, "file")] == objects


@given(st.text(max_size=20), st.integers(), st.booleans(), st.lists(st.text(max_size=5), max_size=3))
def test_yaml_of_strings_and_numbers_reads_as_it_was_written(text, number, flag, listed):
    value = {"text": text, "number": number, "flag": flag, "listed": listed, "nested": {text: {"x": None}}}
    try:
        (item,) = items(yaml.safe_dump(value).encode(), "file")
    except InputError as error:
        assert "control characters" in str(error) or "special characters" in str(error)  # noqa: PT017 - PyYAML prints what it cannot read
        return
    found = msgspec.json.decode(item.raw)
    assert found["text"] == text
    assert str(found["number"]) == str(number)
    assert (found["flag"], found["listed"], found["nested"]) == (flag, listed, {text: {"x": None}})
