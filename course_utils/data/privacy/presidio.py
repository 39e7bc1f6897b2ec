"""Find personal data with Microsoft Presidio as well: its recognisers, and persons where a spaCy model is installed.

Nothing is downloaded: without a spaCy model Presidio runs on its no-op language engine. The patterns run too, since
Presidio knows no keys, dates of birth and street addresses. What it finds is checked again: it reports netmasks,
version numbers and social security numbers that were never issued.
"""

import re
from functools import cache
from typing import TYPE_CHECKING

from course_utils.data.privacy import numbers
from course_utils.data.privacy.entities import Entity, without_overlaps
from course_utils.data.privacy.patterns import find_by_patterns
from course_utils.errors import MissingExtraError

if TYPE_CHECKING:
    from presidio_analyzer import AnalyzerEngine

# Presidio's recognisers, with its name for what each finds and ours.
RECOGNIZERS = {
    "Email": ("EMAIL_ADDRESS", "email"),
    "Phone": ("PHONE_NUMBER", "phone"),
    "CreditCard": ("CREDIT_CARD", "card"),
    "Iban": ("IBAN_CODE", "iban"),
    "Ip": ("IP_ADDRESS", "ip"),
    "MacAddress": ("MAC_ADDRESS", "mac"),
    "UsSsn": ("US_SSN", "ssn"),
    "UkNino": ("UK_NINO", "national_id"),
    "EsNif": ("ES_NIF", "national_id"),
    "EsNie": ("ES_NIE", "national_id"),
    "ItFiscalCode": ("IT_FISCAL_CODE", "national_id"),
    "PlPesel": ("PL_PESEL", "national_id"),
    "SePersonnummer": ("SE_PERSONNUMMER", "national_id"),
    "DeTaxId": ("DE_TAX_ID", "national_id"),
    "FiPersonalIdentityCode": ("FI_PERSONAL_IDENTITY_CODE", "national_id"),
}
TYPES = dict(RECOGNIZERS.values()) | {"PERSON": "name"}
THRESHOLD = 0.5
"""Below this a match of Presidio's is a guess, such as any nine digits for a social security number."""
SPACY_MODELS = ("en_core_web_lg", "en_core_web_md", "en_core_web_sm")
_CHECKS = {"email": numbers.is_mailbox, "ip": numbers.is_outside_address, "ssn": numbers.is_ssn}
_VERSION = re.compile(r"\b(?:version|release|section|chapter|build|v)\.?\s*$", re.IGNORECASE)


def find_by_presidio(text: str) -> list[Entity]:
    """Personal data in a text, without overlaps, in the order of the text.

    Raises:
        MissingExtraError: presidio-analyzer is not installed.
    """
    words = re.findall(r"[^\W\d_]+", text.lower())  # the no-op engine has no words of its own
    results = load_engine().analyze(text, language="en", score_threshold=THRESHOLD, context=words)
    entities = [Entity(TYPES[each.entity_type], each.start, each.end, text[each.start : each.end]) for each in results]
    return without_overlaps([*find_by_patterns(text), *(entity for entity in entities if _is_real(entity, text))])


def _is_real(entity: Entity, text: str) -> bool:
    if entity.type == "ip" and _VERSION.search(text, 0, entity.start):
        return False
    goes_on = entity.type == "card" and re.match(r"[.,]\d", text[entity.end :])
    return not goes_on and _CHECKS.get(entity.type, bool)(entity.text)


@cache
def load_engine() -> "AnalyzerEngine":
    """Presidio with the recognisers above.

    Raises:
        MissingExtraError: presidio-analyzer is not installed.
    """
    try:
        import tldextract.tldextract
        from presidio_analyzer import AnalyzerEngine, RecognizerRegistry, predefined_recognizers
        from presidio_analyzer.nlp_engine import NoOpNlpEngine, SpacyNlpEngine
        from spacy.util import is_package
    except ImportError as error:
        raise MissingExtraError("presidio-analyzer", "privacy") from error
    # Otherwise the first e-mail address fetches the public suffix list, or waits for a network that is not there.
    tldextract.tldextract.TLD_EXTRACTOR.suffix_list_urls = ()
    model = next(filter(is_package, SPACY_MODELS), "")
    engine_class = SpacyNlpEngine if model else NoOpNlpEngine
    engine = engine_class(models=[{"lang_code": "en", "model_name": model or "none"}])
    engine.load()
    found_by = [getattr(predefined_recognizers, f"{name}Recognizer")(supported_language="en") for name in RECOGNIZERS]
    registry = RecognizerRegistry(recognizers=found_by, supported_languages=["en"])
    if model:
        registry.add_nlp_recognizer(engine)
    return AnalyzerEngine(registry=registry, nlp_engine=engine, supported_languages=["en"])
