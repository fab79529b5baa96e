"""YAML as values with lines."""

from __future__ import annotations

import time

from gateway.config.yaml_source import Kind, Scalar, read


def test_values_keep_their_text_kind_and_line() -> None:
    document = read(b'a: 012\nb:\n  - on\n  - "on"\n  - {c: ~}\n')
    assert document.problems == []
    assert document.root["a"] == Scalar("012", Kind.NUMBER)
    assert document.root["b"] == [Scalar("on", Kind.BOOL), Scalar("on"), {"c": Scalar("~", Kind.NULL)}]
    assert [document.line(path) for path in (("a",), ("b",), ("b", 1), ("b", 2, "c"))] == [1, 2, 4, 5]


def test_the_line_of_what_is_missing_is_that_of_the_key_above() -> None:
    document = read(b"\na:\n  b: 1\n")
    assert document.line(("a", "x", "y")) == 2
    assert document.line(("z",)) == 1
    assert document.value(("a", "b")) == Scalar("1", Kind.NUMBER)
    assert document.value(("a", "b", "c")) is None


def test_merged_keys_keep_the_line_they_were_written_on() -> None:
    document = read(b"one: &one\n  a: 1\n  b: {x: 1}\ntwo:\n  <<: *one\n  b: {y: 1}\n")
    assert document.root["two"] == {"a": Scalar("1", Kind.NUMBER), "b": {"y": Scalar("1", Kind.NUMBER)}}
    assert document.line(("two", "a")) == 2
    assert document.line(("two", "b", "y")) == 6
    assert ("two", "b", "x") not in document.lines


def test_own_keys_win_over_merged_ones_that_come_later() -> None:
    document = read(b"one: &one {a: 1}\ntwo: &two {a: 2, b: 2}\nthree: {a: 3, <<: [*one, *two]}\n")
    assert document.problems == []
    assert document.root["three"] == {"a": Scalar("3", Kind.NUMBER), "b": Scalar("2", Kind.NUMBER)}


def test_a_bomb_of_aliases_is_refused_at_once() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)]
    started = time.monotonic()
    document = read("\n".join(lines).encode())
    assert [message for _, _, message in document.problems] == ["becomes more than 50000 values through its aliases"]
    assert document.root == {}
    assert time.monotonic() - started < 5


def test_a_long_chain_of_aliases_does_not_exhaust_the_stack() -> None:
    chain = ["a0: &a0 {x: 1}"] + [f"a{n}: &a{n} {{<<: *a{n - 1}}}" for n in range(1, 2000)]
    document = read("\n".join(chain).encode())
    assert [message for _, _, message in document.problems] == ["is nested more than 20 levels deep through its aliases"]


def test_the_repr_of_a_value_does_not_hold_it() -> None:
    assert "hush" not in repr(read(b"password: hush\n").root)
