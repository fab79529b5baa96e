"""The built-in font: text must be legible and always fit where the picture puts it."""

from __future__ import annotations

import string

from gateway.simulator.glyphs import ADVANCE, GLYPH_HEIGHT, GLYPH_WIDTH, GLYPHS, UNKNOWN, Font


def test_every_letter_and_digit_has_a_glyph_of_its_own():
    wanted = string.ascii_uppercase + string.digits + " .:-/"
    assert {GLYPHS[character] for character in wanted}.__len__() == len(wanted)


def test_glyphs_have_one_size():
    for rows in [*GLYPHS.values(), UNKNOWN]:
        assert len(rows) == GLYPH_HEIGHT
        assert all(len(row) == GLYPH_WIDTH and set(row) <= {"#", "."} for row in rows)


def test_rows_are_as_wide_as_promised():
    font = Font(3, 200, 20)
    rows = font.rows("Aé 1")
    assert font.width("Aé 1") == 4 * ADVANCE * 3
    assert [len(row) for row in rows] == [font.width("Aé 1")] * GLYPH_HEIGHT
    assert set(b"".join(rows)) == {200, 20}


def test_lower_case_is_shown_as_upper_case():
    assert Font(1, 1, 0).rows("yard") == Font(1, 1, 0).rows("YARD")
