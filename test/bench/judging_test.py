"""What judges, since nobody would see a mistake there: python3 -m unittest bench.judging_test, in test."""

import math
import unittest

from .cases import cases_with, targets_by_group
from .judging import BARS, judge, range_of, ratio_of, ratios_of, values_of, verdict

EVENT, WORKER = "mod_hello-event", "mod_hello-worker"
FULL, STALLS = "CPU, full TLS 1.3 handshakes, event", "HTTP/2, event: stalls"


def results_of(case, figure, **values):
    names = {"event": EVENT, "worker": WORKER, "quick": "quick-event"}
    return {(case, names.get(name, name)): {figure: of_rounds} for name, of_rounds in values.items()}


def judged(results, what):
    return [bar for bar in judge(results) if bar["what"] == what]


class Judging(unittest.TestCase):
    def test_a_ratio_is_the_median_of_those_of_the_rounds(self):
        for ours, other, ratios, ratio in (
            ([3], [2], [1.5], 1.5),
            # The ratio of the medians is 3, and that of the sums 2.
            ([10, 200, 30], [10, 100, 10], [1, 2, 3], 2),
            ([1, 2, 9], [1, 1, 1], [1, 2, 9], 2),
            ([1, 2], [1, 1], [1, 2], 1.5),
            # A round that has not ended counts for nothing.
            ([2, 4, 6], [1, 4], [2, 1], 1.5),
        ):
            with self.subTest(ours=ours, other=other):
                self.assertEqual(ratios_of(ours, other), ratios)
                self.assertEqual(ratio_of(ours, other), ratio)

    def test_a_range_is_that_of_the_sign_test(self):
        # As tables of the sign test have them.
        for count, lowest, highest in ((6, 1, 6), (8, 1, 8), (9, 2, 8), (12, 3, 10), (20, 6, 15), (30, 10, 21)):
            with self.subTest(count=count):
                self.assertEqual(range_of(range(count, 0, -1)), (lowest, highest))
        for count in range(6):
            with self.subTest(count=count):
                self.assertIsNone(range_of(range(count)))

    def test_a_range_is_as_narrow_as_95_percent_let_it_be(self):
        for count in range(6, 101):
            with self.subTest(count=count):
                lowest, _ = range_of(range(count))
                outside = [
                    2 * sum(math.comb(count, below) for below in range(k + 1)) / 2**count for k in range(count)
                ]
                self.assertLessEqual(outside[lowest], 0.05)
                self.assertGreater(outside[lowest + 1], 0.05)

    def test_a_verdict_is_certain_outside_the_range_alone(self):
        for at_most, lowest, highest, expected in (
            (1.1, 1.0, 1.05, "holds"),
            (1.1, 1.0, 1.1, "holds"),
            (1.1, 1.1, 1.2, "cannot be told"),
            (1.1, 1.0, 1.2, "cannot be told"),
            (1.1, 1.11, 1.2, "FALLS SHORT"),
            (0, 0, 0, "holds"),
            (0, 1, 1, "FALLS SHORT"),
            (1.1, 0, math.inf, "cannot be told"),
        ):
            with self.subTest(at_most=at_most, lowest=lowest, highest=highest):
                self.assertEqual(verdict(at_most, lowest, highest), expected)

    def test_growth_is_that_of_memory_in_each_round(self):
        results = {("memory", "file"): {"after_tenth_kib": [100, 200], "after_all_kib": [150, 240]}}
        self.assertEqual(values_of(results, "memory", "file", "growth"), [1.5, 1.2])
        self.assertEqual(values_of(results, "memory", "lua", "growth"), [])
        self.assertIsNone(values_of(results, "memory", "lua", "after_all_kib"))

    def test_a_bar_is_judged_by_the_ratios_of_its_rounds(self):
        grown = {"after_tenth_kib": [100], "after_all_kib": [121]}
        for results, what, against, ratio, ends, expected in (
            (results_of("full", "cpu_us", event=[1.5] * 9, nginx=[1] * 9), FULL, "nginx", 1.5, (1.5, 1.5), "holds"),
            (
                results_of("full", "cpu_us", event=[3.2] * 9, nginx=[2] * 9),
                FULL,
                "nginx",
                1.6,
                (1.6, 1.6),
                "FALLS SHORT",
            ),
            (
                results_of("full", "cpu_us", event=[1, 1, 2, 2, 2, 2], nginx=[1] * 6),
                FULL,
                "nginx",
                2,
                (1, 2),
                "cannot be told",
            ),
            # Too few rounds for a range.
            (results_of("full", "cpu_us", event=[1] * 5, nginx=[1] * 5), FULL, "nginx", 1, None, "cannot be told"),
            # What is counted needs neither rounds nor a range.
            (
                results_of("instructions-http", "instructions", event=[135], quick=[100]),
                "user instructions, HTTP",
                "the quick handler",
                1.35,
                (1.35, 1.35),
                "holds",
            ),
            (
                {("memory", EVENT): grown, ("memory", "quick-event"): {**grown, "after_all_kib": [100]}},
                "growth of memory, event",
                "that with the quick handler",
                1.21,
                (1.21, 1.21),
                "FALLS SHORT",
            ),
            (results_of("stall", "stalled", event=[0] * 20), STALLS, "20 runs", 0, (0, 0), "holds"),
            (results_of("stall", "stalled", event=[0, 1, 1]), STALLS, "3 runs", 2, (2, 2), "FALLS SHORT"),
        ):
            with self.subTest(results=results):
                (bar,) = judged(results, what)
                shown = [bar[name] for name in ("against", "ratio", "range", "is")]
                self.assertEqual(shown, [against, ratio, ends, expected])

    def test_a_bar_of_which_a_half_is_missing_is_not_judged(self):
        for results in (
            {},
            results_of("full", "cpu_us", event=[1]),
            results_of("full", "cpu_us", nginx=[1]),
            results_of("https-16", "cpu_us", event=[1], nginx=[1]),
            {**results_of("full", "cpu_us", event=[1]), **results_of("resumed", "cpu_us", nginx=[1])},
        ):
            with self.subTest(results=results):
                self.assertEqual(judge(results), [])

    def test_the_quick_handlers_ratio_stands_beside_a_bar_that_is_not_against_it(self):
        both = results_of("full", "cpu_us", event=[3], nginx=[2], quick=[5])
        self.assertEqual([bar["floor"] for bar in judged(both, FULL)], [2.5])
        without = results_of("full", "cpu_us", event=[3], nginx=[2])
        self.assertEqual([bar["floor"] for bar in judged(without, FULL)], [None])
        against_it = results_of("https-16", "cpu_us", event=[3], quick=[2])
        self.assertEqual([bar["floor"] for bar in judged(against_it, "CPU, HTTPS, event")], [None])
        bodies = {("bodies", "html-event"): {"cpu_us": [1]}, ("bodies", "static-event"): {"cpu_us": [1]}}
        self.assertEqual([bar["floor"] for bar in judge(bodies)], [None])

    def test_each_bar_names_what_is_measured(self):
        groups = targets_by_group()
        cases = {case.name: case for case in cases_with()}
        for bar in BARS:
            with self.subTest(bar=bar):
                case = cases[bar.case]
                names = [target.name for target in groups[case.group]]
                self.assertIn(bar.ours, names)
                self.assertIn(bar.other, [*names, None])
                self.assertTrue(bar.figure in case.figures or (bar.figure, bar.case) == ("growth", "memory"))


if __name__ == "__main__":
    unittest.main()
