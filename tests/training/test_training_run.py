"""A whole small training on drawn pictures: its weights load, and an interrupted run ends with the very same ones."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import drawing
import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch.nn import functional

from tbhdup.calibration import Calibration
from tbhdup.errors import UsageError
from tbhdup.model.encoding import BatchEncoder
from tbhdup.training import schedule
from tbhdup.training.config import Config, read_config, with_settings
from tbhdup.training.counting import recalibrate
from tbhdup.training.photos import Steps
from tbhdup.training.run import train

torch.set_num_threads(1)  # as encoding does later in this module: sums must run in one order throughout

CONFIG = Config(
    name="small", side=64, images=4, steps=6, warm_up=2, held_out=12, memory=32, teacher=16, frozen_stages=5
)


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    for seed in range(14):
        for kind in drawing.KINDS:
            drawing.picture(kind, seed, (160, 120)).save(folder / f"{kind}{seed}.jpg")
    (folder / "broken.jpg").write_bytes(b"no picture")
    return folder


@pytest.fixture(scope="module")
def whole(photos, tmp_path_factory) -> Path:
    skipped = []
    outcome = train([photos], CONFIG, tmp_path_factory.mktemp("run"), on_skip=lambda p, w: skipped.append(p), workers=0)
    assert outcome.complete
    assert len(skipped) == 1
    assert outcome.weights is not None
    return outcome.weights


def test_weights_load_and_encode(whole: Path) -> None:
    encoder = BatchEncoder(whole, "cpu")
    assert encoder.record.model_id.startswith("small-")
    Calibration.from_record(encoder.record.calibration)
    pixels = np.stack([np.asarray(drawing.picture("city", seed, (64, 64))) for seed in range(3)])
    codes, latents = encoder.encode(pixels)
    assert codes.shape == (3,)
    assert latents.shape == (3, 128)
    again, _ = encoder.encode(pixels[1:2])
    assert again[0] == codes[1]  # a code does not depend on what else is in the batch


def test_interrupted_and_resumed_run_makes_the_same_weights(whole: Path, photos: Path, tmp_path: Path) -> None:
    steps: list[int] = []
    first = train(
        [photos], CONFIG, tmp_path, on_step=lambda step, _: steps.append(step), stop=lambda: len(steps) == 3, workers=0
    )
    assert not first.complete
    assert first.step == 3
    second = train([photos], CONFIG, tmp_path, workers=0)
    assert second.weights is not None
    assert second.weights.read_bytes() == whole.read_bytes()


def test_a_run_that_starts_from_weights_begins_where_they_are(whole: Path, photos: Path, tmp_path: Path) -> None:
    config = replace(CONFIG, name="adapted", init=str(whole), steps=4, plan=6, cool_down=2)
    outcome = train([photos], config, tmp_path, workers=0)
    assert outcome.weights is not None
    assert outcome.before["step"] == 0
    assert outcome.after.keys() <= outcome.before.keys()
    ended = json.loads((whole.parent / "log.jsonl").read_text().splitlines()[-1])
    assert outcome.before["dead_bits"] == ended["dead_bits"]
    assert abs(outcome.before["b_dof"] - ended["b_dof"]) < 1  # the weights were rounded in between
    record = BatchEncoder(outcome.weights, "cpu").record
    assert record.training["config"]["init"] == str(whole)


def test_a_code_is_trained_alone(whole: Path, photos: Path, tmp_path: Path) -> None:
    config = with_settings(
        replace(CONFIG, name="code", init=str(whole), rate_heads=3e-2, spun=0.5),
        ["frozen_stages=7", "frozen_latent=true"],
    )
    outcome = train([photos], config, tmp_path, workers=0)
    assert outcome.weights is not None
    before, after = load_file(whole), load_file(outcome.weights)
    moved = {name: (after[name].float() - before[name].float()).abs().max().item() for name in before}
    assert moved["code.weight"] > 0.01
    directions = [functional.normalize(weights["latent.weight"].float(), dim=1) for weights in (before, after)]
    # The norm behind it, which is laid anew, sets its length.
    assert (directions[0] - directions[1]).abs().max() < 0.002
    assert max(moved[name] for name in before if name.startswith(("trunk", "last"))) == 0


def test_a_switch_takes_no_number() -> None:
    for value in ("1", "0.5", "yes"):
        with pytest.raises(UsageError, match="no bool"):
            with_settings(CONFIG, [f"frozen_latent={value}"])


def test_weights_of_another_size_are_refused(whole: Path, photos: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="64 bits"):
        train([photos], replace(CONFIG, init=str(whole), bits=32), tmp_path, workers=0)


def test_exported_convolutions_are_the_same_in_half_precision(whole: Path) -> None:
    for name, tensor in load_file(whole).items():
        if ".conv." in name:
            assert torch.equal(tensor.float().bfloat16().float(), tensor.float()), name


def test_a_run_cut_short_cools_down() -> None:
    whole, cut = replace(CONFIG, steps=12), replace(CONFIG, steps=8, plan=12, cool_down=4)
    rates = {config: [schedule.rate(config, step) for step in range(config.steps)] for config in (whole, cut)}
    assert rates[cut][:5] == rates[whole][:5]
    assert rates[cut][5:] == sorted(rates[cut][5:], reverse=True)
    assert rates[cut][-1] < 0.3 * rates[cut][4]


def test_another_config_is_refused(whole: Path, photos: Path) -> None:
    with pytest.raises(UsageError, match="another config"):
        train(
            [photos],
            replace(CONFIG, seed=2),
            whole.parent,
            workers=0,
        )


def test_too_few_photographs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="too few"):
        train([tmp_path], CONFIG, tmp_path / "run", workers=0)


@pytest.mark.skipif(torch.cuda.is_available(), reason="the device is there")
def test_a_device_that_is_not_there_is_refused(photos: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no cuda"):
        train([photos], CONFIG, tmp_path / "run", workers=0, device="cuda")
    assert not (tmp_path / "run").exists()


def test_what_stands_beside_a_view_in_a_collage_is_told(photos: Path) -> None:
    paths = sorted(bytes(path) for path in photos.glob("*.jpg") if path.name != "broken.jpg")
    views, shown = Steps(paths, np.full((len(paths), 1), -1), CONFIG)[0]
    assert views.shape == (8, 64, 64, 3)
    own, beside = shown.T
    assert (own[:4] == own[4:]).all()
    assert set(beside.tolist()) == set(own.tolist())
    assert (own != beside).all()


def test_config_files(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text('seed = 3\nstrong = [0.1, 0.9]\nname = "x"\n')
    assert read_config(path) == Config(seed=3, strong=(0.1, 0.9), name="x")
    path.write_text("sead = 3\n")
    with pytest.raises(UsageError, match="sead"):
        read_config(path)
    path.write_text('seed = "three"\n')
    with pytest.raises(UsageError, match="seed"):
        read_config(path)
    path.write_text("= 3")
    with pytest.raises(UsageError):
        read_config(path)


def test_single_settings() -> None:
    changed = with_settings(CONFIG, ["seed=3", "vae = 1", "strong=[0, 0.9]", "name=other", "init='a b'"])
    assert changed == replace(CONFIG, seed=3, vae=1.0, strong=(0.0, 0.9), name="other", init="a b")
    assert isinstance(changed.vae, float)
    assert with_settings(CONFIG, []) == CONFIG


@pytest.mark.parametrize(
    "setting", ["sead=3", "seed", "seed=three", "seed=2.5", "seed=true", "strong=[1]", "vae=[1]", "name=3", "vae="]
)
def test_wrong_settings_are_refused(setting: str) -> None:
    with pytest.raises(UsageError, match=setting.partition("=")[0]):
        with_settings(CONFIG, [setting])


def test_a_run_of_another_size_gives_its_figures_alone(photos: Path, tmp_path: Path) -> None:
    outcome = train([photos], replace(CONFIG, bits=128, latent=32, steps=2), tmp_path, workers=0)
    assert outcome.complete
    assert outcome.weights is None
    assert outcome.after["latent_recall_1e-03"] > 0
    assert not list(tmp_path.glob("*.safetensors"))


def test_weights_are_calibrated_anew_on_what_was_held_out_and_on_strangers(
    whole: Path, photos: Path, tmp_path: Path
) -> None:
    weights = tmp_path / whole.name
    weights.write_bytes(whole.read_bytes())
    weights.with_suffix(".json").write_bytes(whole.with_suffix(".json").read_bytes())
    before = BatchEncoder(weights, "cpu").record
    again = recalibrate(weights, [], [photos])
    assert again.calibration == before.calibration  # the same photographs as at the end of the training
    strangers = tmp_path / "strangers"
    strangers.mkdir()
    for seed in range(100, 164):
        drawing.picture("city", seed, (160, 120)).save(strangers / f"{seed}.jpg")
    (strangers / "copy.png").write_bytes((strangers / "100.jpg").read_bytes())
    more = recalibrate(weights, [strangers], [photos])
    after = BatchEncoder(weights, "cpu").record
    assert after.calibration == more.calibration
    assert after.model_id == before.model_id
    assert after.training == before.training
    pictures = after.calibration["pictures"]
    assert pictures == before.calibration["pictures"] + 65
    assert 0 < after.calibration["pairs"] < pictures * (pictures - 1) // 2  # the copy is no stranger
    Calibration.from_record(after.calibration)


def test_damaged_weights_are_refused(whole: Path, tmp_path: Path) -> None:
    from tbhdup.errors import WeightsError

    copy = tmp_path / whole.name
    copy.write_bytes(whole.read_bytes()[:-1] + b"x")
    with pytest.raises(WeightsError, match="record"):
        BatchEncoder(copy)
    copy.with_suffix(".json").write_text(whole.with_suffix(".json").read_text())
    with pytest.raises(WeightsError, match="digest"):
        BatchEncoder(copy)
    copy.with_suffix(".json").write_text('{"format": 99}')
    with pytest.raises(WeightsError, match="format 99"):
        BatchEncoder(copy)


def test_imagenet_weights_fill_the_whole_trunk() -> None:
    from tbhdup.model.network import Encoder
    from tbhdup.training.initial import imagenet_file, load_imagenet

    encoder = Encoder()
    load_imagenet(encoder, imagenet_file())
    x = torch.full((1, 3, 64, 64), 200, dtype=torch.uint8)
    before = encoder.eval()(x)
    folded = encoder.fold()(x)
    assert torch.allclose(before.latent, folded.latent, atol=1e-3)
