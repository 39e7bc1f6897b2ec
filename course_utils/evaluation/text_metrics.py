"""Metrics that compare the text of two queries: shown beside execution accuracy, because they mislead.

A query in other words loses points though it is right; one with a wrong sign keeps nearly all.
"""

from pathlib import Path

from course_utils.artifacts import Row
from course_utils.errors import DataError, ModelError
from course_utils.models.hub import explain_loading


def text_metrics(rows: list[Row], *, embedding_model: str | Path = "") -> dict[str, float]:
    """Text likeness of predictions and golds, each from 0 to 1, higher is more alike.

    - ``exact_match``: share of predictions equal to the gold, character by character.
    - ``bleu``: n-gram precision of the whole set with a brevity penalty (Papineni et al., 2002; sacrebleu).
    - ``chrf``: F-score of character n-grams of the whole set (Popović, 2015; sacrebleu).
    - ``rouge_l``: mean F1 of the longest common subsequence of words (Lin, 2004; rouge-score).
    - ``bert_score``: only with ``embedding_model``; see ``bert_score_f1``.

    Args:
        rows: Predictions with ``query`` and ``predicted``.
        embedding_model: Folder of an encoder for BERTScore; nothing is ever downloaded.

    Raises:
        DataError: There are no rows.
        ModelError: ``embedding_model`` is not a model folder.
    """
    if not rows:
        raise DataError("no predictions to compare; give at least one row")
    from rouge_score.rouge_scorer import RougeScorer
    from sacrebleu.metrics import BLEU, CHRF

    golds, predictions = [row["query"] for row in rows], [row["predicted"] for row in rows]
    rouge = RougeScorer(["rougeL"])
    likeness = [rouge.score(gold, text)["rougeL"].fmeasure for gold, text in zip(golds, predictions, strict=True)]
    # A single row is a sentence: without smoothing or shorter n-grams its BLEU would often be zero.
    bleu = BLEU(effective_order=len(rows) == 1)
    compare_text = bleu.sentence_score if len(rows) == 1 else bleu.corpus_score
    pair = (predictions[0], golds) if len(rows) == 1 else (predictions, [golds])
    metrics = {
        "exact_match": sum(gold == text for gold, text in zip(golds, predictions, strict=True)) / len(rows),
        "bleu": compare_text(*pair).score / 100,
        "chrf": CHRF().corpus_score(predictions, [golds]).score / 100,
        "rouge_l": sum(likeness) / len(rows),
    }
    return metrics | ({"bert_score": bert_score_f1(golds, predictions, embedding_model)} if embedding_model else {})


def bert_score_f1(golds: list[str], predictions: list[str], embedding_model: str | Path) -> float:
    """Mean F1 of BERTScore: each token matched with its most similar one by a model's embeddings.

    Args:
        golds: Reference texts.
        predictions: As many texts.
        embedding_model: Folder of an encoder such as MiniLM, read from disk; a name is not looked up.

    Returns:
        About 0 to 1, higher is more alike; without a baseline, unrelated texts come out well above 0.

    Source: Zhang et al. (2020), BERTScore: Evaluating Text Generation with BERT.

    Raises:
        ModelError: The folder holds no model.
    """
    config = Path(embedding_model) / "config.json"
    if not config.is_file():
        raise ModelError(f"{embedding_model}: not a model folder; give the folder of an encoder saved by Transformers")
    from bert_score import score
    from transformers import AutoConfig

    with explain_loading(str(embedding_model), "model"):
        layers = AutoConfig.from_pretrained(embedding_model, trust_remote_code=False).num_hidden_layers
    # The last layer but one compares best in the paper's models of this depth.
    _, _, f1 = score(predictions, golds, model_type=str(embedding_model), num_layers=max(1, layers - 1))
    return float(f1.mean())
