"""Find personal data with Microsoft Presidio beside the patterns: persons, and identity numbers of more countries.

Persons need a spaCy model; nothing is downloaded, and without a model Presidio runs on its no-op language engine. Its
recognisers of what the patterns find stay out: they also report netmasks, version numbers and social security numbers
that were never issued.
"""

from functools import cache
from typing import TYPE_CHECKING

from course_utils.data.privacy.entities import Entity, without_overlaps
from course_utils.data.privacy.patterns import find_by_patterns
from course_utils.errors import MissingExtraError

if TYPE_CHECKING:
    from presidio_analyzer import AnalyzerEngine

RECOGNIZERS = ("FiPersonalIdentityCodeRecognizer", "KrRrnRecognizer", "TrNationalIdRecognizer")
"""Those of national numbers that have check digits and a form which no count has."""
NOT_PERSONAL = frozenset({"DATE_TIME", "LOCATION", "NRP", "ORGANIZATION"})
"""What a spaCy model finds besides persons."""
SPACY_MODELS = ("en_core_web_lg", "en_core_web_md", "en_core_web_sm")
THRESHOLD = 0.5
"""Below this a match of Presidio's is a guess."""


def find_by_presidio(text: str) -> list[Entity]:
    """Personal data in a text, without overlaps, in the order of the text.

    Raises:
        MissingExtraError: presidio-analyzer is not installed.
    """
    found = [
        Entity(
            "name" if each.entity_type == "PERSON" else "national_id", each.start, each.end, text[each.start : each.end]
        )
        for each in load_engine().analyze(text, language="en", score_threshold=THRESHOLD)
    ]
    return without_overlaps([*find_by_patterns(text), *found])


@cache
def load_engine() -> "AnalyzerEngine":
    """Presidio with the recognisers above, and that of persons where there is a spaCy model.

    Raises:
        MissingExtraError: presidio-analyzer is not installed.
    """
    try:
        from presidio_analyzer import AnalyzerEngine, RecognizerRegistry, predefined_recognizers
        from presidio_analyzer.nlp_engine import NoOpNlpEngine, SpacyNlpEngine
        from spacy.util import is_package
    except ImportError as error:
        raise MissingExtraError("presidio-analyzer", "privacy") from error
    model = next(filter(is_package, SPACY_MODELS), "")
    engine = (SpacyNlpEngine if model else NoOpNlpEngine)(models=[{"lang_code": "en", "model_name": model or "none"}])
    engine.load()
    recognizers = [getattr(predefined_recognizers, name)(supported_language="en") for name in RECOGNIZERS]
    if model:
        recognizers.append(
            predefined_recognizers.SpacyRecognizer(supported_language="en", supported_entities=["PERSON"])
        )
    registry = RecognizerRegistry(recognizers=recognizers, supported_languages=["en"])
    return AnalyzerEngine(registry=registry, nlp_engine=engine, supported_languages=["en"])
