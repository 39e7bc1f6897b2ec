"""Find personal data with Microsoft Presidio: its recognisers with their checksums, and a spaCy model where one is.

Nothing is downloaded: without a spaCy model Presidio runs on its no-op language engine, and the public suffix list that
it checks e-mail domains against is the copy in the package. The patterns run as
well: Presidio knows no keys, dates of birth and street addresses, and without a language model it guesses at phone
numbers. What it takes for an address or a number is checked again: it reports netmasks, version numbers and social
security numbers that were never issued.
"""

import re
from functools import cache
from typing import TYPE_CHECKING

from course_utils.data.privacy.checksums import is_ssn
from course_utils.data.privacy.kinds import Kind, PersonalData, without_overlaps
from course_utils.data.privacy.number_patterns import is_outside_address, is_outside_mailbox
from course_utils.data.privacy.patterns import find_by_patterns
from course_utils.errors import MissingExtraError

if TYPE_CHECKING:
    from presidio_analyzer import AnalyzerEngine
    from presidio_analyzer.nlp_engine import NlpEngine

ENTITIES: dict[str, Kind] = {
    "EMAIL_ADDRESS": "email",
    "PHONE_NUMBER": "phone",
    "CREDIT_CARD": "card",
    "IBAN_CODE": "iban",
    "IP_ADDRESS": "ip",
    "MAC_ADDRESS": "mac",
    "US_SSN": "ssn",
    "UK_NINO": "national_id",
    "ES_NIF": "national_id",
    "ES_NIE": "national_id",
    "IT_FISCAL_CODE": "national_id",
    "PL_PESEL": "national_id",
    "SE_PERSONNUMMER": "national_id",
    "DE_TAX_ID": "national_id",
    "FI_PERSONAL_IDENTITY_CODE": "national_id",
    "PERSON": "name",
}
RECOGNIZERS = tuple(
    f"{name}Recognizer"
    for name in "Email Phone CreditCard Iban Ip MacAddress UsSsn UkNino EsNif EsNie ItFiscalCode PlPesel"
    " SePersonnummer DeTaxId FiPersonalIdentityCode".split()
)
THRESHOLD = 0.5
"""Below this a match of Presidio's is a guess, such as any nine digits for a social security number."""
_SURE = 0.95  # at most, so that where both find something the patterns decide what it is
_VERSION = re.compile(r"\b(?:version|release|section|chapter|build|v)\.?\s*$", re.IGNORECASE)
_GOES_ON = re.compile(r"[.,]\d")
_MODELS = ("en_core_web_lg", "en_core_web_md", "en_core_web_sm", "en_core_web_trf")
_WORD = re.compile(r"[^\W\d_]+")


def find_by_presidio(text: str) -> list[PersonalData]:
    """Personal data in a text, without overlaps, in the order of the text.

    Raises:
        MissingExtraError: presidio-analyzer is not installed.
    """
    results = _engine().analyze(
        text,
        language="en",
        entities=[entity for entity in ENTITIES if entity != "PERSON" or installed_model()],
        score_threshold=THRESHOLD,
        context=[word.lower() for word in _WORD.findall(text)],  # the no-op engine has no words of its own
    )
    pieces = (
        PersonalData(ENTITIES[result.entity_type], result.start, result.end, text[result.start : result.end], _SURE)
        for result in results
    )
    return without_overlaps([*find_by_patterns(text), *(piece for piece in pieces if _is_real(piece, text))])


def _is_real(piece: PersonalData, text: str) -> bool:
    if piece.kind == "ip" and (not is_outside_address(piece.text) or _VERSION.search(text, 0, piece.start)):
        return False
    if piece.kind == "ip" and not re.search(r"\d", piece.text):
        return False
    if piece.kind == "ssn":
        return is_ssn(piece.text)
    if piece.kind == "email":
        return is_outside_mailbox(piece.text)
    return piece.kind != "card" or not _GOES_ON.match(text, piece.end)


def installed_model() -> str:
    """The largest English spaCy model that is installed; empty if there is none."""
    from spacy.util import is_package

    return next((model for model in _MODELS if is_package(model)), "")


@cache
def _engine() -> "AnalyzerEngine":
    try:
        import tldextract.tldextract
        from presidio_analyzer import AnalyzerEngine, RecognizerRegistry, predefined_recognizers
    except ImportError as error:
        raise MissingExtraError("presidio-analyzer", "privacy") from error
    # Otherwise the first e-mail address fetches the public suffix list, or waits for a network that is not there.
    tldextract.tldextract.TLD_EXTRACTOR.suffix_list_urls = ()
    language_engine = _language_engine()
    registry = RecognizerRegistry(
        recognizers=[getattr(predefined_recognizers, name)(supported_language="en") for name in RECOGNIZERS],
        supported_languages=["en"],
    )
    registry.add_nlp_recognizer(language_engine)
    return AnalyzerEngine(registry=registry, nlp_engine=language_engine, supported_languages=["en"])


def _language_engine() -> "NlpEngine":
    from presidio_analyzer.nlp_engine import NoOpNlpEngine, SpacyNlpEngine

    models = [{"lang_code": "en", "model_name": installed_model() or "none"}]
    engine: NlpEngine = SpacyNlpEngine(models=models) if installed_model() else NoOpNlpEngine(models=models)
    engine.load()
    return engine
