"""Metrics that compare the text of two queries: shown beside execution accuracy, because they mislead.

A query in other words loses points though it is right; one with a wrong sign keeps nearly all.
"""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from course_utils.artifacts import Row
from course_utils.errors import ModelError
from course_utils.models.hub import explain_loading


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
        ModelError: ``embedding_model`` is not a model folder.
    """
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
