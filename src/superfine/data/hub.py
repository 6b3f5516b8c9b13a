"""Data sets of the Hugging Face hub by name: `hf://owner/name`, `hf://owner/name:test`, `hf://owner/name/configuration:test`.

Read are the Parquet files that the hub keeps of every data set, in its revision `refs/convert/parquet`, so no code of the data
set is ever run. They lie in folders `configuration/split/0000.parquet`.
"""

from __future__ import annotations

import re
import socket
import urllib.parse
import urllib.request
from pathlib import Path

from superfine.errors import DataError
from superfine.names import did_you_mean

SCHEME = "hf://"
REVISION = "refs/convert/parquet"
NAME = re.compile(r"hf://(?:datasets/)?(?P<repo>[\w.-]+/[\w.-]+)(?:/(?P<config>[\w.-]+))?(?::(?P<split>[\w.-]+))?")


def fetch_files(name: str) -> list[Path]:
    """Download the files of one split (`train` unless it is named, or the only one there is) and say where they are."""
    matched = NAME.fullmatch(name)
    if matched is None:
        raise DataError(f"{name} is no name of a data set.", "It looks like hf://owner/name or hf://owner/name:test.")
    repo = matched["repo"]
    if why := hub_out_of_reach():
        raise DataError(f"The hub cannot be reached for {repo}: {why}", "Download the data set and name its file.")
    from huggingface_hub import hf_hub_download, list_repo_files
    from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError

    try:
        files = [f for f in list_repo_files(repo, repo_type="dataset", revision=REVISION) if f.endswith(".parquet")]
        wanted = _of_split(name, files, matched["config"], matched["split"])
        return [Path(hf_hub_download(repo, f, repo_type="dataset", revision=REVISION)) for f in wanted]
    except RepositoryNotFoundError:
        raise DataError(
            f"The hub has no data set {repo}, or you may not read it.", "Check the name; private ones need HF_TOKEN."
        ) from None
    except HfHubHTTPError as error:
        raise DataError(f"The hub refused {repo}: {str(error).splitlines()[0]}") from None
    except DataError:
        raise
    except Exception as error:  # the hub's library lets errors of its transport through, whose package changes
        raise DataError(f"The hub cannot be reached for {repo}: {error}", "Download the data set and name its file.") from None


def hub_out_of_reach() -> str | None:
    """Why the hub's host cannot be found, told at once instead of after half a minute of retries; None where it can."""
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return "HF_HUB_OFFLINE is set"
    if urllib.request.getproxies().get("https"):
        return None
    host = urllib.parse.urlsplit(constants.ENDPOINT).hostname
    try:
        socket.getaddrinfo(host, 443)
    except OSError as error:
        return f"{host}: {error.strerror or error}"
    return None


def _of_split(name: str, files: list[str], config: str | None, split: str | None) -> list[str]:
    configs = sorted({f.split("/")[0] for f in files})
    if config is None and len(configs) > 1 and "default" not in configs:
        raise DataError(f"{name} has several configurations.", f"Name one, as in {name}/{configs[0]}: {', '.join(configs)}.")
    chosen = config or ("default" if "default" in configs else configs[0] if configs else "")
    here = [f for f in files if f.startswith(chosen + "/")]
    splits = sorted({f.split("/")[1] for f in here})
    wanted = split or ("train" if "train" in splits or len(splits) != 1 else splits[0])
    found = sorted(f for f in here if f.split("/")[1] == wanted)
    if not found:
        known = f"Its configurations are: {', '.join(configs)}." if not here else f"Its splits are: {', '.join(splits)}."
        raise DataError(f'{name} has no "{chosen}/{wanted}".{did_you_mean(wanted, splits)}', known)
    return found
