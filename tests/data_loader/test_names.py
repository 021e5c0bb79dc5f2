"""Names that may become files, and names that never may."""

import pytest

from shared.data_loader import UnsafeNameError
from shared.data_loader.names import check_name, is_safe, split_name

SAFE = ["a", "singleplayer_00042_1", "12+39.5,-98.3", "Ümlaut", "a b", "a.b", "x" * 200, "日本"]
UNSAFE = {
    "": "it is empty",
    "a/b": "'/'",
    "a\\b": r"'\\\\'",
    "/etc/passwd": "'/'",
    "C:a": "':'",
    "..": r"'\.\.'",
    "a..b": r"'\.\.'",
    ".hidden": "begins or ends with a dot",
    "a.": "begins or ends with a dot",
    " a": "a dot or a space",
    "a ": "a dot or a space",
    "a\0b": r"\\x00",
    "a\nb": r"\\n",
    "a\x7f": r"\\x7f",
    "a\u202egpj": r"\\u202e",
    "a\ud800": r"\\ud800",
    "CON": "reserved",
    "nul.jpg": "reserved",
    "Lpt1": "reserved",
    "a?b": r"'\?'",
    "x" * 201: "longer than 200 bytes",
    "日" * 67: "longer than 200 bytes",
}


@pytest.mark.parametrize("name", SAFE)
def test_a_safe_name_is_returned(name: str) -> None:
    assert check_name(name) == name
    assert is_safe(name)


@pytest.mark.parametrize("name", UNSAFE)
def test_an_unsafe_name_is_refused_with_its_fault(name: str) -> None:
    assert not is_safe(name)
    with pytest.raises(UnsafeNameError, match=UNSAFE[name]):
        check_name(name, "of a test")


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("a.jpg", ("a", ".jpg")),
        ("a.b.JPEG", ("a.b", ".JPEG")),
        ("geoguessr_location_m_1.png", ("m_1", ".png")),
        ("geoguessr_result_m_1.json", ("m_1", ".json")),
        ("geoguessr_result_m_1.png", ("geoguessr_result_m_1", ".png")),
        ("a.gif", None),
        ("a", None),
        (".jpg", None),
        (".a.jpg", None),
        ("a.jpg.part", None),
    ],
)
def test_a_file_name_is_split_into_id_and_suffix(name: str, parts: tuple[str, str] | None) -> None:
    assert split_name(name) == parts
