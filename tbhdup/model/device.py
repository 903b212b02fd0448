"""Where the network runs, and in which precision."""

from __future__ import annotations

import torch

from tbhdup.errors import UsageError

DEVICES = ("auto", "cpu", "cuda", "mps")


def choose_device(name: str = "auto") -> torch.device:
    """The device of that name; auto takes CUDA, then MPS, then the CPU. UsageError where it is not there."""
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return torch.device(next(device for device in ("cuda", "mps", "cpu") if there[device]))
    if name not in there:
        raise UsageError(f"no device {name!r}: use one of {', '.join(DEVICES)}")
    if not there[name]:
        raise UsageError(f"this machine or this build of torch has no {name}: use --device cpu")
    return torch.device(name)


def choose_precision(device: torch.device) -> torch.dtype:
    """Half precision where the hardware multiplies in it: everywhere but on CPUs without bf16 instructions."""
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    if device.type == "mps":
        return torch.float16
    return torch.bfloat16 if _cpu_multiplies_bf16() else torch.float32


def _cpu_multiplies_bf16() -> bool:
    capabilities = torch.backends.cpu.get_cpu_capability()
    if not capabilities.startswith(("AVX512", "SVE")):
        return False
    # oneDNN also emulates bf16 on plain AVX-512, slower than fp32: ask the processor itself.
    return bool(getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)())
