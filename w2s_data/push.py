"""A set on the Hugging Face hub: its file, its card and its manifest, as they were built."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from w2s_data import card, factory
from w2s_data.errors import W2SError
from w2s_data.io import file_hash
from w2s_data.rows import Row
from w2s_data.sets import read_object

TOKEN = "HF_TOKEN"


@dataclass(frozen=True)
class Pushed:
    """What was pushed where: `files` are paths in the repository -> paths here."""

    repository: str
    private: bool
    files: dict[str, str]
    bytes: int
    commit: str | None


def push(
    name: str,
    repository: str,
    *,
    folder: str | Path = "data",
    public: bool = False,
    dropped: bool = False,
    dry_run: bool = False,
) -> Pushed:
    """Upload the set `name` of a dataset folder to the data set `repository` (OWNER/NAME) in one
    commit; the repository is made, private unless `public`, where it is missing.

    The files must be those of the manifest, by their hashes. `dropped` uploads the dropped rows,
    too. The token is HF_TOKEN of the environment and goes nowhere but to the hub (HF_ENDPOINT).
    Raises W2SError for a set without a manifest or changed since, for an existing public
    repository without `public`, and with the hub's own words when it refuses.
    """
    files = _files(Path(folder), factory.check_name(name), dropped)
    size = sum(path.stat().st_size for path in files.values())
    named = {inside: str(path) for inside, path in files.items()}
    token = os.environ.get(TOKEN, "").strip()
    if not dry_run and not token:
        raise W2SError(f"no token: set {TOKEN} to one that may write to {repository}")
    commit = None if dry_run else _upload(files, name, repository, public, token)
    return Pushed(repository, not public, named, size, commit)


def _files(folder: Path, name: str, dropped: bool) -> dict[str, Path]:
    """Path in the repository -> path here, each data file checked against the manifest."""
    manifest = folder / f"{name}.manifest.json"
    if not manifest.exists():
        raise W2SError(f"{manifest}: no such file; only a set that was built here can be pushed")
    built = read_object(manifest)
    hashes = _hashes(built, manifest)
    left_out = () if dropped else (f"{name}.dropped.jsonl",)
    data = {file: folder / file for file in hashes if file not in left_out}
    for file, path in data.items():
        if not path.is_file() or file_hash(path) != hashes[file]:
            raise W2SError(
                f"{path}: not the file that {manifest.name} describes; build {name} again"
            )
    about = card.path(folder, name)
    if not about.exists():
        raise W2SError(
            f"{about}: no such file; build {name} again, from the store it costs nothing"
        )
    return {**data, "README.md": about, manifest.name: manifest}


def _hashes(built: Row, manifest: Path) -> dict[str, str]:
    """The hash of each of the set's files; none lies outside the set's folder."""
    files = built.get("files")
    if not isinstance(files, dict) or not files or any(Path(f).name != f for f in files):
        raise W2SError(f"{manifest}: names no files of the set; build it again")
    return files


def _upload(files: dict[str, Path], name: str, repository: str, public: bool, token: str) -> str:
    """Create the repository where it is missing, and commit the files; the commit's address."""
    import httpx
    from huggingface_hub import CommitOperationAdd, HfApi
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    api = HfApi(endpoint=os.environ.get("HF_ENDPOINT"), token=token)
    what: dict[str, Any] = {"repo_id": repository, "repo_type": "dataset"}
    try:
        api.create_repo(**what, private=not public, exist_ok=True)
        if not public and not api.repo_info(**what).private:
            raise W2SError(f"{repository} is public: add --public, or name another repository")
        done = api.create_commit(
            **what,
            operations=[CommitOperationAdd(inside, str(path)) for inside, path in files.items()],
            commit_message=f"Add {name}",
        )
    except HFValidationError as error:
        raise W2SError(f"{repository!r} cannot name a repository: {error}") from None
    except (HfHubHTTPError, httpx.HTTPError, ValueError, OSError, RuntimeError) as error:
        words = " ".join(str(error).replace(token, "***").split())
        raise W2SError(f"the hub at {api.endpoint} did not take {name}: {words}") from None
    return done.commit_url
