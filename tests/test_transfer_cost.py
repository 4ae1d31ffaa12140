"""What a step of a frozen network costs: a forward pass, and the head."""

import statistics
import time
from collections.abc import Callable

import torch
from torch.nn import functional
from torchvision.models import resnet50

from imagelab.finetune.linear_probe import LinearProbe
from imagelab.finetune.moves import freeze, moves_of


def seconds(act: Callable[[], object]) -> float:
    began = time.process_time()
    act()
    return time.process_time() - began


def test_a_step_of_a_frozen_resnet50_takes_as_long_as_a_forward_pass_and_builds_no_graph():
    net, images = resnet50(num_classes=3), torch.randn(4, 3, 64, 64)
    labels = torch.tensor([0, 1, 2, 0])
    probe = LinearProbe(norm="frozen", views=None)
    freeze(net.train(), moves_of(net, probe, epochs=1), 0, probe.norm)
    optimizer = torch.optim.SGD([p for p in net.parameters() if p.requires_grad], lr=0.1, momentum=0.9)

    def step() -> None:
        optimizer.zero_grad()
        functional.cross_entropy(net(images), labels).backward()
        optimizer.step()

    @torch.no_grad()
    def forward() -> None:
        net(images)

    step()
    ratios = [seconds(step) / seconds(forward) for _ in range(9)]
    assert statistics.median(ratios) < 1.3  # 1.00 on an idle machine, 3.4 where everything moves
    nodes, waiting = set(), [net(images).grad_fn]
    while waiting:
        node = waiting.pop()
        nodes.add(node)
        waiting += [other for other, _ in node.next_functions if other is not None and other not in nodes]
    assert len(nodes) <= 5  # the product, its transposed weights, and a place for each gradient
