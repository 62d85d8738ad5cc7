"""How MONAI's interfaces ask their module: by its export where that is worth it, else in batches."""

from __future__ import annotations

import functools
from math import ceil, prod
from typing import Any

from occlude._arrays import without_gradients
from occlude._dropin import Exports, called, evaluating
from occlude._map import Map
from occlude.exceptions import OccludeError


class Runner:
    """A module, with its exports.

    Attributes
    ----------
    why_not : str or None
        Why the last run called the module; None where it ran incrementally.
    """

    def __init__(self, module: Any) -> None:
        self.module = module
        self.why_not: str | None = None
        self._exports = Exports(module)

    def run(
        self, x: Any, kwargs: dict[str, Any], batch: int, *, evaluated: bool = True, windows: int | None = None, **settings: Any
    ) -> Map:
        """Maps an image.

        Parameters
        ----------
        x
            ``[1, C, spatial...]``.
        kwargs
            Further arguments of the module; with any it is called.
        batch
            Windows per call.
        evaluated
            Whether the module is put in evaluation mode; if not, one that is in training mode is called as it is.
        windows
            Their number, where the settings do not tell it along the spatial axes.
        **settings
            See `OcclusionSettings`.
        """
        count = _windows(x, settings) if windows is None else windows
        model = None
        if kwargs:
            self.why_not = "further arguments of the module"
        elif not evaluated and any(part.training for part in getattr(self.module, "modules", list)()):
            self.why_not = "the module is in training mode"
        elif "float32" not in str(x.dtype):
            self.why_not = f"an image of type {x.dtype}"
        else:
            model = self._exports.model([x], count, ceil(count / batch))
            self.why_not = self._exports.why_not
        if model is not None:
            try:
                return model.occlusion(x, **settings)
            except OccludeError as error:
                self.why_not = str(error)
        f = functools.partial(self.module, **kwargs) if kwargs else self.module
        if not evaluated:
            return called(_as_it_is(f), x, batch, **settings)
        with evaluating(self.module), without_gradients():
            return called(_as_it_is(f), x, batch, **settings)


def _as_it_is(f: Any) -> Any:
    # A function around the module: what mode it is in is this file's business.
    return lambda batch: f(batch)


def _windows(x: Any, settings: dict[str, Any]) -> int:
    """About how many windows there are along the spatial axes."""
    axes = len(x.shape) - 2
    region = settings.get("roi") or [(0, int(n)) for n in x.shape[2:]]
    steps = zip(region[-axes:], settings["stride"][-axes:], strict=True)
    return prod(ceil((end - start) / stride) for (start, end), stride in steps)
