"""Personal data and profanity: find them, replace people by consistent pseudonyms, look again."""

from course_utils.data.privacy.anonymise import Anonymised, anonymise_rows, recheck
from course_utils.data.privacy.databases import anonymise_database
from course_utils.data.privacy.detect import (
    check_personal_data,
    database_values,
    find_personal_data,
    personal_data_problems,
)
from course_utils.data.privacy.keys import PseudonymKey
from course_utils.data.privacy.kinds import KINDS, PersonalData
from course_utils.data.privacy.mapping import PseudonymMapping, load_mapping, save_mapping
from course_utils.data.privacy.profanity import check_profanity, find_profanity, profanity_problems

__all__ = [
    "KINDS",
    "Anonymised",
    "PersonalData",
    "PseudonymKey",
    "PseudonymMapping",
    "anonymise_database",
    "anonymise_rows",
    "check_personal_data",
    "check_profanity",
    "database_values",
    "find_personal_data",
    "find_profanity",
    "load_mapping",
    "personal_data_problems",
    "profanity_problems",
    "recheck",
    "save_mapping",
]
