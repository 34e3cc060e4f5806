import re

from convert.tables import evaluation_tables, flattened, worst_slices

Figure = dict[str, float | int | None]


def share(count: int, n: int) -> Figure:
    return {"value": count / n, "low": 0.0, "high": 1.0, "count": count, "n": n}


NOTHING: Figure = {"value": None, "low": None, "high": None, "count": 0, "n": 0}
COUNTS = {
    "recall": share(95, 100),
    "false_per_100": {"value": 7.5, "low": 5.0, "high": 11.0, "count": 15, "n": 200},
    "face_free_found": NOTHING,
    "false_accepts": {"without_mask": share(1, 200), "covered": NOTHING, "incorrect": share(2, 20), "all": NOTHING},
    "false_rejects": share(1, 50),
    "unknown": share(1, 100),
    "granted_wrongly": share(1, 40),
    "granted_rightly": share(9, 10),
}
RAN = {"accepted": share(3, 150), "found": share(140, 150), "accepted_of_all": share(4, 150)}
SLICE = {"faces": 31, "recall": share(30, 31), "false_accepts": NOTHING, "false_rejects": share(2, 30)}
EVALUATION = {
    "sets": {"test": {"near": COUNTS}, "benchmark": {"near": COUNTS}},
    "worst": {"recall": {"slice": "head turn", "value": "profile", "figure": share(70, 100)}, "false_accepts": None},
    "suite": {"one_hand": {"truth": "without_mask", "crops": RAN, "pictures": RAN}},
    "slices": {"test": {"glasses": {"yes": SLICE}}},
    "agreement": {"test": {"accuracy_drop": {"value": 0.12, "low": -0.1, "high": 0.3, "n": 800}, "faces": 800}},
    "speed": None,
}


def test_the_main_table_has_a_column_for_each_set():
    main, *_ = evaluation_tables(EVALUATION)
    assert "benchmark" in main and main.count("95.0 %") == 2 and "7.5 (5.0 to 11.0; 15 in 200)" in main


def test_the_worst_slices_stand_with_the_main_figures():
    assert worst_slices(EVALUATION) == ["recall, head turn profile: 70.0 % (0.0 to 100.0; 70 of 100)"]
    assert "The worst slices: recall, head turn" in evaluation_tables(EVALUATION)[0]
    assert worst_slices({"worst": None}) == []


def test_hard_cases_slices_and_whatever_else_was_counted_have_a_row():
    _, suite, slices, agreement = (squeezed(each) for each in evaluation_tables(EVALUATION))
    row = "| one hand | without_mask | 2.0 % (0.0 to 100.0; 3 of 150) | 93.3 % (0.0 to 100.0; 140 of 150) | 2.7 %"
    assert row in suite
    assert "| glasses | yes | 31 | 96.8 % (0.0 to 100.0; 30 of 31) | - | 6.7 %" in slices
    assert "| test, accuracy drop | 0.12 points (-0.10 to 0.30; 800) |" in agreement


def test_each_source_that_was_left_out_has_a_row():
    found = {key: COUNTS[key] for key in ("false_accepts", "false_rejects")} | {"class_accuracy": share(88, 100)}
    left_out = {"classifier": {"sources": {"street": found}}}
    _, table = evaluation_tables({"sets": EVALUATION["sets"], "leave_one_out": left_out})
    assert table.startswith("## Small classifiers, trained without one source and tested on it")
    assert "| street | 88.0 % (0.0 to 100.0; 88 of 100) | 0.5 % (0.0 to 100.0; 1 of 200) | - | 10.0 %" in squeezed(
        table
    )


def test_what_was_not_evaluated_has_no_section():
    assert len(evaluation_tables({"sets": EVALUATION["sets"]})) == 1


def test_what_is_no_figure_has_no_row():
    assert list(flattened({"a": [1, 2], "b": "text", "c": 3})) == []


def squeezed(table: str) -> str:
    return re.sub(" +", " ", table)
