"""What scripts read is exact and complete; what people read loses no text."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from eydp import tables

_ROW: dict[str, Any] = {
    "id": 1,
    "price": Decimal("109.95"),
    "at": datetime(2026, 11, 24, 6, 6, tzinfo=UTC),
    "day": date(2026, 11, 24),
    "raw": b"\x00\xff",
    "lines": [{"product_id": 1}],
    "known": True,
    "note": None,
}


def test_json_keeps_numbers_exact_times_standard_and_bytes_readable(capsys: pytest.CaptureFixture[str]) -> None:
    tables.print_json([_ROW])
    assert json.loads(capsys.readouterr().out) == [
        {
            **_ROW,
            "price": "109.95",
            "at": "2026-11-24T06:06:00+00:00",
            "day": "2026-11-24",
            "raw": "AP8=",
        }
    ]


def test_csv_has_a_header_and_quotes_what_needs_it(capsys: pytest.CaptureFixture[str]) -> None:
    tables.print_csv(list(_ROW), [_ROW, {**_ROW, "note": 'a "b",\nc'}])
    header, *rows = capsys.readouterr().out.split("\n", 2)
    assert header == "id,price,at,day,raw,lines,known,note"
    assert rows[0] == '1,109.95,2026-11-24T06:06:00+00:00,2026-11-24,AP8=,"[{""product_id"": 1}]",true,'
    assert rows[1].endswith('true,"a ""b"",\nc"\n')


def test_csv_without_rows_still_has_its_header(capsys: pytest.CaptureFixture[str]) -> None:
    tables.print_csv(["a", "b"], [])
    assert capsys.readouterr().out == "a,b\n"


def test_a_table_shows_text_that_looks_like_markup_and_cuts_none_off(capsys: pytest.CaptureFixture[str]) -> None:
    tables.show_rows([{"text": "[red]x[/]", "long": "y" * 300}])
    out = capsys.readouterr().out
    assert "[red]x[/]" in out
    assert out.count("y") == 300


def test_no_rows_are_said(capsys: pytest.CaptureFixture[str]) -> None:
    tables.show_rows([])
    assert capsys.readouterr().out == "no rows\n"
