from benchmarks.random_split import ARMS, leaked_shares, part_wordings, plot


def rows_of(*queries: str) -> list[dict[str, str]]:
    return [
        {"db_id": "zoo", "query": query, "question": f"{query} in words, {n}?"} for n, query in enumerate(queries, 1)
    ]


def test_of_a_query_asked_again_one_wording_may_be_trained_on_and_another_is_the_test() -> None:
    rows = rows_of("a", "b", "a", "c", "b")
    alone, firsts, seconds = part_wordings(rows)
    assert [row["query"] for row in alone] == ["c"]
    assert [row["question"] for row in firsts] == ["a in words, 1?", "b in words, 2?"]
    assert [row["question"] for row in seconds] == ["a in words, 3?", "b in words, 5?"]


def test_a_random_split_leaks_nothing_where_each_query_is_asked_once_and_nearly_all_where_it_is_asked_twice() -> None:
    queries = [f"q{n}" for n in range(50)]
    assert leaked_shares(rows_of(*queries)) == {"mean": 0.0, "low": 0.0, "high": 0.0}
    found = leaked_shares(rows_of(*queries, *queries))
    # The other wording of a test row is one of the 99 others, 90 of which are in training.
    assert abs(found["mean"] - 90 / 99) < 0.02
    assert found["low"] < found["mean"] <= found["high"]


def test_the_plot_shows_each_run_of_both_models() -> None:
    share = {"value": 0.7, "interval": [0.6, 0.8]}
    gain = {"gain": 0.1, "interval": [0.05, 0.15]}
    result = {"accuracy": {arm: [share, share] for arm in ARMS}, "seeds": [0, 1], "n_test": 160}
    axes = plot({**result, "leak_gains": {"pooled": gain}})
    assert len(axes.containers) == 4
    assert "10 points [5, 15]" in " ".join(axes.figure.get_suptitle().split())
