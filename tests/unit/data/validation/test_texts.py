from course_utils.data.validation.texts import text_problems


def test_one_row_can_have_several_problems_and_checks_can_be_chosen() -> None:
    question = "[INST] Wer wohnt in ZÃ¼rich? Write to maria.keller81@gmail.com [/INST]"
    checks = ("encoding", "template", "personal-data")
    assert {p.check for p in text_problems(question, "SELECT 1", checks)} == set(checks)
    assert {p.check for p in text_problems(question, "SELECT 1", ["template"])} == {"template"}
