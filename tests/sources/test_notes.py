from __future__ import annotations

from ullage.sources.notes import NoteBook


def _codes(book: NoteBook) -> list[str]:
    return [note.code for note in book.finish()]


def test_what_a_source_said_is_taken_back_when_it_is_read_again():
    book = NoteBook()
    book.about("one")
    book.add("pod-not-placed", "ns/a")
    book.add("volume-unknown", "ns/c")
    book.about("two")
    book.add("volume-unknown", "ns/c")
    assert _codes(book) == ["pod-not-placed", "volume-unknown"]
    book.about("one")
    assert _codes(book) == ["volume-unknown"]
    book.about("two")
    assert book.finish() == ()


def test_what_has_no_source_stays():
    book = NoteBook()
    book.add("malformed-object", "Pod ns/a", "bad")
    book.about(None)
    assert book.finish()[0].objects == ("Pod ns/a",)


def test_the_first_detail_in_order_is_shown_whoever_said_it():
    book = NoteBook()
    for source, detail in (("one", "b"), ("two", "a")):
        book.about(source)
        book.add("malformed-object", "Pod ns/a", detail)
    assert "Pod ns/a: a" in book.finish()[0].text
    book.about("two")
    assert "Pod ns/a: b" in book.finish()[0].text


def test_edits_count_what_changes():
    book = NoteBook()
    book.about("one")
    before = book.edits
    book.add("pod-not-placed", "ns/a")
    assert book.edits > before
    before = book.edits
    book.about("two")
    assert book.edits == before


def test_an_empty_sentence_takes_one_back():
    book = NoteBook()
    book.say("empty-cluster", "Nothing.")
    assert _codes(book) == ["empty-cluster"]
    book.say("empty-cluster", "")
    assert book.finish() == ()
