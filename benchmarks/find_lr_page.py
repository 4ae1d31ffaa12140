# room: finders, schedule/cosine
"""The words of results/find_lr.md."""

HEAD = """# The rate that find_lr suggests

Points of test accuracy that a rate loses to the best one of a grid: two rates a decade, mean of two seeds (of
six for momentum without norm, where single runs fail by chance at the best rates too), 100 to 150 steps with
cosine annealing, no warm-up. The range tests have the defaults of `imagelab find_lr`: 100 steps from 1e-7 to
10. The suggestion itself was run, with the same seeds; for the other rules, and once more for this one, the
grid is interpolated, and a rate beyond it counts as its end. Range tests and runs have different seeds.
Digits: 360 test images; photos: 1,800 training and 2,000 test images of CIFAR-10 at 16 x 16 pixels. Only
where there is a suggestion is its loss counted; the other rules name a rate each time.

The rule is 80% of the fall, at most a quarter of the rate of divergence. Both numbers were settled on six
tasks before the others were looked at; what counts as divergence was made stricter later, after a set of
photos that is no task here.

    .venv/bin/python benchmarks/find_lr.py --data FOLDER

{date}, {machine}, one thread; {minutes:.0f} CPU minutes.
"""
TITLES = ("| rule | mean loss | worst | within 2 points | no suggestion |", "|---|---|---|---|---|")
TASK_TITLES = (
    "| task | best rate of the grid: accuracy | suggested | loss of accuracy | diverges from |",
    "|---|---|---|---|---|",
)
