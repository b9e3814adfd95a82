"""What is agreed for a program: by its market context, or for any."""

from openadr_core.oadr2.market_context import ANY, of_program


def test_a_program_has_its_own_or_what_holds_for_any() -> None:
    agreed = {"http://utility.example/peak": 1, ANY: 2}
    assert of_program(agreed, "HTTP://UTILITY.example:80/peak") == 1
    assert of_program(agreed, "urn:other") == 2
    assert of_program({"http://utility.example/peak": 1}, "urn:other") is None
    assert of_program({"urn:x:zero": 0, ANY: 2}, "urn:x:zero") == 0
