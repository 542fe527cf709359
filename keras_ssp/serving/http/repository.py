"""The models in a folder: which versions there are, are loaded, and answer."""

from __future__ import annotations

import contextlib
import logging
import pathlib
import threading
from collections.abc import Iterator

from keras_ssp._checks import one_of
from keras_ssp.serving.exported import ExportedModel
from keras_ssp.serving.http.errors import ServingError, invalid
from keras_ssp.serving.http.targets import Target
from keras_ssp.serving.http.versions import (
    AVAILABLE,
    END,
    UNLOADING,
    Version,
    drain,
    identity,
    read_labels,
    within_budget,
)
from keras_ssp.serving.versions import versions_in
from keras_ssp.types import StrPath

POLICIES = ("latest", "all")
_log = logging.getLogger("keras_ssp.serving")


class Repository:
    """The models in a folder, loaded; safe to be used by several threads.

    Args:
        root: The folder of the models, `root/name/1`, or that of one model.
        policy: `"latest"` serves the newest version that loads; `"all"` every one. Of
            a frontier all versions are served. Defaults to `"latest"`.
    """

    def __init__(self, root: StrPath, *, policy: str = "latest") -> None:
        self.root = pathlib.Path(root)
        self.policy = one_of("policy", policy, POLICIES)
        if not self.root.is_dir():
            raise FileNotFoundError(
                "`root` must be a folder with exported models. Received: "
                f"root={self.root}."
            )
        self._models: dict[str, dict[int, Version]] = {}
        self._labels: dict[str, dict[str, int]] = {}
        self._lock = threading.Lock()
        self._scanning = threading.Lock()

    # --- what is there -------------------------------------------------------------

    def folders(self) -> dict[str, pathlib.Path]:
        """The folders of the models by name."""
        if versions_in(self.root):
            return {self.root.resolve().name: self.root}
        return {
            path.name: path
            for path in sorted(self.root.iterdir())
            if path.is_dir() and not path.name.startswith(".") and versions_in(path)
        }

    def scan(self) -> None:
        """Loads what is new, and lets go of what is gone or out of date."""
        with self._scanning:
            folders = self.folders()
            for name, folder in folders.items():
                self._scan_model(name, folder)
            for name in set(self.names()) - set(folders):
                for number in self._versions(name):
                    self._drop(name, number)

    def _scan_model(self, name: str, folder: pathlib.Path) -> None:
        there = versions_in(folder)
        labels = read_labels(folder)
        # A frontier names its versions; others in the folder are those of before.
        listed = None if labels is None else {*labels[1]} & {*there}
        every = listed is not None or self.policy == "all"
        good: set[int] = set()
        for number in sorted(there if listed is None else listed, reverse=True):
            if self._loaded(name, number, there[number]):
                good.add(number)
                if not every:
                    break
        with self._lock:
            self._labels[name] = {} if labels is None else labels[0]
        for number, version in self._versions(name).items():
            # What failed is still told; what is served goes when another one is good.
            failed = version.state == END and number in there
            if number not in good and not failed and (good or number not in there):
                self._drop(name, number)

    def _loaded(self, name: str, number: int, path: pathlib.Path) -> bool:
        """Whether a version is loaded, after an attempt to load it."""
        known = self._versions(name).get(number)
        if known is not None and known.identity == identity(path):
            return known.state == AVAILABLE
        version = Version(number, path)
        version.load()
        if version.state != AVAILABLE:
            _log.error(
                "version %d of '%s' cannot be served: %s",
                *(number, name, version.error_message),
            )
            if known is not None and known.state == AVAILABLE:
                return True  # its files are gone, but it answers from memory
        else:
            _log.info("serving version %d of '%s'", number, name)
        with self._lock:
            self._models.setdefault(name, {})[number] = version
        if known is not None:
            drain(known)
        return version.state == AVAILABLE

    def _drop(self, name: str, number: int) -> None:
        with self._lock:
            version = self._models.get(name, {}).get(number)
            if version is not None:
                version.state = UNLOADING
        if version is not None:
            drain(version)
            with self._lock:
                self._models[name].pop(number, None)
                if not self._models[name]:
                    del self._models[name]
            _log.info("let go of version %d of '%s'", number, name)

    # --- what is asked for ---------------------------------------------------------

    def names(self) -> list[str]:
        """The names of the models."""
        with self._lock:
            return sorted(self._models)

    def loaded(self) -> set[ExportedModel]:
        """All models that are loaded."""
        with self._lock:
            versions = [v for found in self._models.values() for v in found.values()]
        return {v.model for v in versions if v.model is not None}

    def labels(self, name: str) -> dict[str, int]:
        """The labels of a model's versions."""
        with self._lock:
            return dict(self._labels.get(name, {}))

    def versions(self, target: Target) -> list[Version]:
        """The versions that a status request is for.

        Raises:
            ServingError: If there is none.
        """
        found = self._versions(target.name)
        if not found:
            raise ServingError(
                "NOT_FOUND", f"Could not find any versions of model {target.name}"
            )
        if target.label is not None:
            found = {n: found[n] for n in [self._labelled(target)] if n in found}
        if target.version is not None:
            if target.version not in found:
                raise ServingError(
                    "NOT_FOUND",
                    f"Could not find version {target.version} of model {target.name}",
                )
            return [found[target.version]]
        return list(found.values())

    @contextlib.contextmanager
    def lease(self, target: Target) -> Iterator[Version]:
        """The version that is to answer, kept as long as the block lasts.

        Raises:
            ServingError: If none can.
        """
        with self._lock:
            version = self._choose(target)
            version.in_flight += 1
        try:
            yield version
        finally:
            with self._lock:
                version.in_flight -= 1

    def _choose(self, target: Target) -> Version:
        versions = self._models.get(target.name, {})
        good = {n: v for n, v in versions.items() if v.state == AVAILABLE}
        number = target.version
        if target.label is not None:
            number = self._labelled(target)
        if number is not None:
            if number not in good:
                raise ServingError(
                    "NOT_FOUND",
                    "Servable not found for request: "
                    f"Specific({target.name}, {number})",
                )
            return good[number]
        if not good:
            raise ServingError(
                "NOT_FOUND", f"Servable not found for request: Latest({target.name})"
            )
        if target.budget_nj is not None:
            return within_budget(list(good.values()), target)
        return good[max(good)]

    def _labelled(self, target: Target) -> int:
        labels = self._labels.get(target.name, {})
        if target.label not in labels:
            raise invalid(
                f"Unrecognized servable version label: {target.label}"
                + (f" (known: {', '.join(sorted(labels))})" if labels else "")
            )
        return labels[target.label]

    def _versions(self, name: str) -> dict[int, Version]:
        with self._lock:
            return dict(self._models.get(name, {}))
