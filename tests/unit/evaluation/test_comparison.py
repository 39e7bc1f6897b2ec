"""Paired differences and their tests are those of other libraries, and hold what they promise."""

import tracemalloc
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import binom, ttest_1samp
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import confint_proportions_2indep

from course_utils.errors import DataError
from course_utils.evaluation import Scores, accuracy_table, compare, plot_accuracy, rows_needed, sequential_evidence
from course_utils.evaluation.comparison import bootstrap_difference, difference_interval, mcnemar_p_values
from course_utils.evaluation.scores import Outcome

from .verdicts import scores_of

RNG = np.random.default_rng(0)


def scores(name: str, right: list[bool], *, start: int = 0) -> Scores:
    rows = [{"id": str(start + i), "seen": i % 2 == 0, "difficulty": "easy"} for i in range(len(right))]
    return scores_of(name, rows, right)


def test_compare_counts_gains_and_losses_in_every_group() -> None:
    pair = scores("a", [True, False, False, False]), scores("b", [False, True, True, False])
    found = compare(*pair)
    assert found.index.name == "b minus a"
    assert {name: tuple(line) for name, line in found[["n", "n_gained", "n_lost"]].iterrows()} == {
        "all rows": (4, 2, 1),
        "seen databases": (2, 1, 1),
        "unseen databases": (2, 1, 0),
        "easy": (4, 2, 1),
    }
    assert [*compare(*pair, kinds=()).index] == ["all rows"]
    assert found["difference"].tolist() == [0.25, 0, 0.5, 0.25]
    assert (found["low"] <= found["difference"]).all()
    assert (found["difference"] <= found["high"]).all()
    assert found["p_holm"].tolist() == pytest.approx(multipletests(found["p_mid"], method="holm")[1])


OTHER_GOLDS = scores_of("b", [{"id": "0", "query": "SELECT 1"}, {"id": "1", "query": "SELECT 1"}], [True, True])


@pytest.mark.parametrize(
    "other", [*(scores("b", [True] * n) for n in (1, 3)), scores("b", [True] * 2, start=5), OTHER_GOLDS]
)
@pytest.mark.parametrize("show", [compare, accuracy_table, plot_accuracy])
def test_different_rows_are_refused(show: Callable[..., object], other: Scores) -> None:
    with pytest.raises(DataError, match="predict the same rows"):
        show(scores("a", [True, True]), other)


def test_rows_in_another_order_and_without_their_slices_are_the_same_rows() -> None:
    first, second = scores("a", [True, False, False, False]), scores("b", [False, True, True, True])
    mixed = tuple(Outcome({"id": each.row["id"]}, each.verdict) for each in second.outcomes[::-1])
    theirs = replace(second, outcomes=mixed)
    assert compare(first, theirs).equals(compare(first, second))
    assert accuracy_table(first, theirs) == accuracy_table(first, second)
    twice = replace(second, outcomes=mixed[:3] + mixed[2:3])
    with pytest.raises(DataError, match="predict the same rows"):
        compare(first, twice)


@pytest.mark.parametrize(("gained", "lost"), [(1, 0), (5, 5), (12, 3), (160, 2), (0, 7), (30, 31)])
def test_mcnemar_is_another_librarys_exact_test(gained: int, lost: int) -> None:
    wanted = min(1.0, mcnemar([[0, lost], [gained, 0]], exact=True).pvalue)
    p_exact, p_mid = mcnemar_p_values(gained, lost)
    assert p_exact == pytest.approx(wanted, rel=1e-9)
    assert p_mid == pytest.approx(1.0 if gained == lost else wanted - binom.pmf(lost, gained + lost, 0.5), rel=1e-9)


def test_mcnemar_is_as_published() -> None:
    assert mcnemar_p_values(1, 7) == pytest.approx((0.070, 0.039), abs=5e-4)  # the example of Fagerland et al. (2013)


def test_mcnemar_of_equal_verdicts_is_one() -> None:
    assert mcnemar_p_values(0, 0) == (1.0, 1.0)


@pytest.mark.parametrize("changed", [0.1, 0.2, 0.4])
def test_of_equally_good_models_the_mid_p_tells_apart_four_to_six_percent(changed: float) -> None:
    n_rows, alarms = 240, np.zeros(2)
    for n_changed, chance in enumerate(binom.pmf(np.arange(n_rows + 1), n_rows, changed)):
        if chance > 1e-6:
            gained = np.arange(n_changed + 1)
            found = np.array([mcnemar_p_values(int(n), n_changed - int(n)) for n in gained]) < 0.05
            alarms += chance * binom.pmf(gained, n_changed, 0.5) @ found
    assert alarms[0] < 0.04 < alarms[1] < 0.06


def test_the_bootstrap_agrees_with_the_normal_approximation_of_paired_differences() -> None:
    rng = np.random.default_rng(3)
    first, second = (rng.random(400) < 0.3).tolist(), (rng.random(400) < 0.6).tolist()
    differences = np.array(second, float) - np.array(first, float)
    half = 1.96 * differences.std(ddof=1) / np.sqrt(400)
    low, high = bootstrap_difference(first, second)
    assert low == pytest.approx(differences.mean() - half, abs=0.01)
    assert high == pytest.approx(differences.mean() + half, abs=0.01)
    assert (low, high) == bootstrap_difference(first, second)


@pytest.mark.parametrize(("first", "second", "value"), [([False] * 5, [True] * 5, 1.0), ([True] * 2, [True] * 2, 0.0)])
def test_the_bootstrap_of_one_constant_difference_is_that_difference(
    first: list[bool], second: list[bool], value: float
) -> None:
    assert bootstrap_difference(first, second) == (value, value)


def test_the_bootstrap_of_many_rows_takes_little_memory() -> None:
    first = np.zeros(10_000, bool)
    second = np.arange(10_000) < 100
    tracemalloc.start()
    low, high = bootstrap_difference(first, second)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (low, high) == pytest.approx((0.008, 0.012), abs=3e-4)
    assert peak < 0.5 * 2**30  # 1.5 GiB at once


@pytest.mark.parametrize(("n_gained", "n_lost"), [(0, 0), (0, 1), (3, 0), (0, 150)])
def test_the_interval_of_one_share_is_another_librarys(n_gained: int, n_lost: int) -> None:
    wanted = confint_proportions_2indep(n_gained, 150, n_lost, 150, method="newcomb")
    assert difference_interval(150, n_gained, n_lost) == pytest.approx(wanted, abs=1e-9)


def test_with_many_rows_the_interval_is_that_of_a_paired_t_test() -> None:
    wanted = ttest_1samp(np.repeat([1, -1, 0], [4_000, 3_800, 12_200]), 0).confidence_interval()
    assert difference_interval(20_000, 4_000, 3_800) == pytest.approx((wanted.low, wanted.high), abs=1e-4)


@pytest.mark.parametrize(
    ("n", "gains", "loses"), [(240, 0.19, 0.21), (240, 0.04, 0.06), (1_000, 0.29, 0.31), (60, 0, 0.02)]
)
def test_each_end_of_the_interval_errs_once_in_forty_times(n: int, gains: float, loses: float) -> None:
    counts = np.random.default_rng(2).multinomial(n, [gains, loses, 1 - gains - loses], 20_000)
    kinds, n_found = np.unique(counts[:, :2], axis=0, return_counts=True)
    low, high = np.array([difference_interval(n, *kind) for kind in kinds.tolist()]).T
    for is_wrong in (low > gains - loses, high < gains - loses):
        assert n_found[is_wrong].sum() / 20_000 < 0.03


@pytest.mark.parametrize("n_alike", [92, 100])
def test_where_all_verdicts_change_the_interval_has_a_width(n_alike: int) -> None:
    wrong, right = scores("a", [False] * 100), scores("b", [True] * n_alike + [False] * (100 - n_alike))
    found, turned = compare(wrong, right), compare(right, wrong)
    assert (found["low"] < found["difference"] - 0.03).all()
    assert (turned["high"] > turned["difference"] + 0.03).all()
    assert list(found["low"]) == pytest.approx([-end for end in turned["high"]])


def test_where_few_verdicts_change_no_interval_is_without_width() -> None:
    found = compare(scores("a", [True] * 100), scores("b", [True] * 98 + [False, True]))
    assert (found["low"] < found["difference"]).all()
    assert (found["high"] > found["difference"]).all()
    assert found.loc["all rows", "high"] > 0, "one lost row of 100 does not show that the second model is worse"


def test_pairing_narrows_the_interval_where_models_agree() -> None:
    right = [True, False] * 50
    better = [True, True, *right[2:]]
    low, high = bootstrap_difference(right, better)
    assert 0 <= low <= 0.01 <= high < 0.05  # unpaired: 0.01 give or take 0.14


@pytest.mark.parametrize(("difference", "changed"), [(0.05, 0.1), (0.02, 0.1), (0.1, 0.3), (0.3, 0.4)])
def test_so_many_rows_find_the_difference_four_times_in_five(difference: float, changed: float) -> None:
    n, n_runs, rng = rows_needed(difference, changed), 4_000, np.random.default_rng(1)
    shares = [(changed + difference) / 2, (changed - difference) / 2, 1 - changed]
    gained, lost, _ = rng.multinomial(n, shares, size=n_runs).T
    fewer = np.minimum(gained, lost)
    p_mid = binom.cdf(fewer, gained + lost, 0.5) + binom.cdf(fewer - 1, gained + lost, 0.5)
    assert 0.77 < np.mean(p_mid < 0.05) < 0.84


def test_so_few_rows_as_can_show_nothing_are_not_enough() -> None:
    assert [mcnemar_p_values(n, 0)[1] < 0.05 for n in (rows_needed(1, 1) - 1, rows_needed(1, 1))] == [False, True]


@pytest.mark.parametrize(("difference", "changed"), [(0.0, 0.1), (0.2, 0.1), (0.5, 1.2)])
def test_a_difference_that_cannot_be_is_refused(difference: float, changed: float) -> None:
    with pytest.raises(ValueError, match="share of rows that change"):
        rows_needed(difference, changed)


def test_evidence_is_the_mean_likelihood_ratio_over_all_shares() -> None:
    first, second = RNG.random((2, 40)) < 0.6
    gained, lost = int((second & ~first).sum()), int((first & ~second).sum())
    wanted, _ = quad(lambda share: share**gained * (1 - share) ** lost / 0.5 ** (gained + lost), 0, 1)
    assert sequential_evidence(first, second)[-1] == pytest.approx(wanted, rel=1e-6)


@pytest.mark.parametrize(
    ("gained", "lost", "odds"),
    [(8, 0, 28.444444444), (12, 4, 2.118164189), (5, 5, 0.369408369), (30, 18, 0.785843416), (60, 20, 4221.690371758)],
)
def test_evidence_is_savvis(gained: int, lost: int, odds: float) -> None:
    # What Multinomial(0.05, [0.5, 0.5], k=2) of savvi 0.3.1 gives; the package would bring cvxpy and its solvers.
    second = RNG.permutation([True] * gained + [False] * lost)
    assert sequential_evidence(~second, second)[-1] == pytest.approx(odds, rel=1e-8)


def test_looking_after_every_row_seldom_raises_a_false_alarm() -> None:
    first, second = RNG.random((2, 1_000, 500)) < 0.7
    assert (sequential_evidence(first, second) >= 20).any(axis=-1).mean() <= 0.05


def test_a_clear_difference_is_found_early() -> None:
    first, second = np.zeros(100, bool), np.ones(100, bool)
    assert (sequential_evidence(first, second) >= 20).argmax() == 7  # 2**8 / 9 > 20


def test_evidence_stays_a_number_however_many_rows_speak_for_one_model() -> None:
    evidence = sequential_evidence(np.zeros(3_000, bool), np.ones(3_000, bool))
    assert np.isfinite(evidence).all()
    assert (np.diff(evidence) >= 0).all()


def known(name: str, verdicts: list[bool]) -> Scores:
    rows = [{"id": str(n), "seen": n % 2 == 0, "difficulty": "easy" if n < 2 else "hard"} for n in range(len(verdicts))]
    return scores_of(name, rows, verdicts)


BASE, TUNED = known("base", [False] * 4), known("tuned", [True, False, False, False])


def test_the_plot_draws_each_accuracy_with_its_interval() -> None:
    axes = plot_accuracy(BASE, TUNED)
    title = "Right answers to 4 questions: 0 % for base; 25 % for tuned"  # a name may hold a comma
    assert axes.figure.get_suptitle().replace("\n", " ") == title
    bars = [bar for container in axes.containers if hasattr(container, "patches") for bar in container.patches]
    assert len(bars) == 2 * 3
    assert len(axes.get_yticklabels()) == 3
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["base", "tuned"]
    _, intervals, _, ends = (drawn.get_segments() for drawn in axes.collections)
    shares = TUNED.accuracy_by_group(["seen"]).values()
    assert [(s[0][0], s[1][0]) for s in intervals] == [pytest.approx((x.low, x.high)) for x in shares]
    assert [line[0][0] for line in ends] == [share.value for share in shares]


def test_models_of_one_name_are_both_drawn() -> None:
    axes = plot_accuracy(TUNED, replace(BASE, name="tuned"))
    bars = [container for container in axes.containers if hasattr(container, "patches")]
    assert [[bar.get_width() for bar in each] for each in bars] == [[0.25, 0.5, 0], [0, 0, 0]]


def test_a_bar_of_nothing_is_there_to_see() -> None:
    axes = plot_accuracy(BASE)
    (bars,) = (container for container in axes.containers if hasattr(container, "patches"))
    assert {bar.get_width() for bar in bars} == {0}
    assert [text.get_text() for text in axes.texts] == ["0", "0", "0"]
    for bar, ((x, low), (_, high)) in zip(bars, axes.collections[-1].get_segments(), strict=True):
        assert (x, high - low) == (0, pytest.approx(bar.get_height()))
