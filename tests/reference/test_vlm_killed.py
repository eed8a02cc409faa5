"""A process that is killed while it asks a model loses no answer."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import semlens_widgets as slw
from tests.colour_world import ColourFoundation
from tests.unit.chat_server import Reply, chat_server, looks

CHILD = """
import sys
import semlens_widgets as slw
from tests.colour_world import ColourFoundation, ColourNet, colour_images, to_tensor

target = slw.TargetModel(ColourNet(), ["seen", "mixed"], transform=to_tensor, poles="positive")
images = slw.ImageDataset.from_list(colour_images())
lens = slw.SemanticLens(target, images, ColourFoundation(), path=sys.argv[1], n_examples=6).run()
print("ready", flush=True)
lens.label(slw.ChatVLM("eye-1", base_url=sys.argv[2], concurrency=1))
"""


def test_a_process_killed_while_it_asks_loses_no_answer(tmp_path):
    def play(number, asked):
        if number == 3:
            os.kill(child.pid, signal.SIGKILL)
            return Reply()
        return looks(number, asked)

    with chat_server(play) as server:
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(tmp_path), server.url],
            cwd=Path(__file__).parents[2],
            stdout=subprocess.PIPE,
        )
        with child:
            assert child.stdout.read() == b"ready\n"
        assert child.returncode == -signal.SIGKILL
        assert len(server.asked) == 4
        answered = {asked.raw for asked in server.asked[:3]}
        model = slw.ChatVLM("eye-1", base_url=server.url)
        lens = slw.open(tmp_path, foundation=ColourFoundation())
        assert (model.preview(lens).cached, model.preview(lens).calls) == (4, 3)  # two are alike
        found = lens.label(model)
        assert len(server.asked) == 7
        assert answered.isdisjoint({asked.raw for asked in server.asked[3:]})
    assert found["label"].tolist()[:3] == ["red", "green", "blue"]
