"""Letters that look like Latin ones and are others: they hide words from filters, and values from queries."""

LOOK_ALIKES = dict(
    zip(
        "аеорсухіјѕԁһӏАВЕКМНОРСТУХІЈЅΑΒΕΖΗΙΚΜΝΟΡΤΥΧο",  # Cyrillic and Greek
        "aeopcyxijsdhlABEKMHOPCTYXIJSABEZHIKMNOPTYXo",  # Latin
        strict=True,
    )
)
"""The Latin letter that each Cyrillic or Greek one looks like."""
