"""What is said when a model can't be fetched: the cause, and what the user can do."""

from __future__ import annotations

import errno
import os
import re
import ssl
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit

from mmstudio.errors import UserError
from mmstudio.pretrained.proxies import proxy_of, shown, variable_of
from mmstudio.pretrained.source import listed_on_disk, similar
from mmstudio.units import size_text

OFFLINE = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
_FULL = (errno.ENOSPC, errno.EDQUOT)
_LOG_IN = ("log in on this computer with a token from huggingface.co/settings/tokens: run "
           "'hf auth login', or set HF_TOKEN")


def check_online(model: str) -> None:
    """Refuse to go to the network where the user has forbidden it.

    Raises:
        UserError: ``HF_HUB_OFFLINE`` or ``TRANSFORMERS_OFFLINE`` is set.
    """
    for variable in OFFLINE:
        if os.environ.get(variable, "").upper() in ("1", "ON", "YES", "TRUE"):
            raise UserError(
                f"{variable} is set, so '{model}' is not downloaded.",
                f"Unset {variable} to download it. {listed_on_disk()}")


def refused(model: str, error: HTTPError) -> UserError:
    """The server, or a proxy before it, answered with an error, which is closed."""
    error.close()
    code = error.headers.get("X-Error-Code", "")
    said = error.headers.get("X-Error-Message", "")
    host = urlsplit(error.url or "").hostname or "the server"
    if error.code == 407:
        return _proxy_refused("407 Proxy Authentication Required")
    if "Invalid credentials" in said:
        return UserError(f"{host} does not accept your token.",
                         f"Remove it ('hf auth logout', or unset HF_TOKEN), or {_LOG_IN}.")
    if "disabled" in said:
        return UserError(f"The model '{model}' was taken off {host}.", "Choose another model.")
    if code == "GatedRepo" or (error.code == 403 and code != "RepoNotFound"):
        return UserError(
            f"The model '{model}' is gated: {host} gives it only to people whom its publisher "
            f"has let in ({error.code}).",
            f"Ask for it on https://huggingface.co/{model}, then {_LOG_IN}.")
    if error.code in (401, 404):
        return UserError(
            f"There is no model '{model}' on {host} ({error.code}).",
            f"{similar(model)} Check the name, or see 'mmstudio models'. If it is private, "
            f"{_LOG_IN}.".strip())
    if error.code == 429 or error.code >= 500:
        return UserError(f"{host} is busy or down ({error.code}).",
                         f"Try again in some minutes. {listed_on_disk()}")
    return UserError(f"{host} refused to give '{model}': {error.code} {error.reason}.",
                     "Check the model's name and the address in HF_ENDPOINT, if it is set.")


def unreachable(model: str, url: str, error: Exception) -> UserError:
    """No answer at all: no network, a wrong address, a proxy, or a certificate."""
    reason = error.reason if isinstance(error, URLError) else error
    cause = _cause(reason)
    if tunnel := re.search(r"Tunnel connection failed: (.*)", str(reason)):
        return _proxy_refused(tunnel[1])
    if isinstance(reason, ssl.SSLError):
        return UserError(
            f"The connection to {_server(url)} is not safe: {cause}.",
            "Where a proxy signs with a certificate of its own, name its file in SSL_CERT_FILE. "
            f"{listed_on_disk()}")
    if proxy := proxy_of(url):
        variable = variable_of(url)
        hint = (f"{variable} names a SOCKS proxy, which is not supported: name an HTTP proxy."
                if proxy.startswith("socks") else f"Check the proxy's address in {variable}.")
        return UserError(
            f"'{model}' can't be downloaded: {_server(url)} does not answer through the proxy "
            f"{shown(proxy)} ({cause}).", f"{hint} {listed_on_disk()}")
    mirror = " or the address in HF_ENDPOINT" if os.environ.get("HF_ENDPOINT") else ""
    return UserError(
        f"'{model}' can't be downloaded: {_server(url)} does not answer ({cause}).",
        f"Check the network{mirror}; behind a proxy, set HTTPS_PROXY. {listed_on_disk()}")


def broken(model: str, done: int, total: int, error: Exception | None) -> UserError:
    """The connection broke again and again in the middle of a file."""
    cause = f" ({_cause(error)})" if isinstance(error, OSError) else ""
    return UserError(
        f"The connection broke while '{model}' was being downloaded: {size_text(done)} of "
        f"{size_text(total)} have arrived{cause}.",
        "They are kept: start the download again to continue.")


def damaged(model: str, name: str, why: str) -> UserError:
    """A file arrived that is not the one that was published."""
    return UserError(
        f"'{name}' of '{model}' arrived damaged ({why}) and was thrown away.",
        "Start the download again. If that keeps happening, the proxy or mirror changes it: "
        "use another.")


def no_space(model: str, needed: int, free: int, folder: Path, variable: str) -> UserError:
    """The disk is too full to begin."""
    return UserError(
        f"'{model}' needs {size_text(needed)} more on the disk, but only {size_text(free)} are "
        f"free in {folder}.", f"Free some space, or set {variable} to a folder on another disk.")


def not_written(model: str, error: OSError, folder: Path, variable: str) -> UserError:
    """The disk became full, or can't be written."""
    if error.errno in _FULL:
        return UserError(
            f"The disk became full while '{model}' was being downloaded to {folder}.",
            "What has arrived is kept. Free some space and start the download again, or set "
            f"{variable} to a folder on another disk.")
    return UserError(f"'{model}' can't be written to {folder}: {error.strerror or error}.",
                     f"Set {variable} to a folder that you may write.")


def _cause(error: object) -> str:
    if isinstance(error, TimeoutError):
        return "timed out"
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__


def _server(url: str) -> str:
    return urlsplit(url).netloc.rpartition("@")[2]


def _proxy_refused(what: str) -> UserError:
    return UserError(
        f"The proxy refuses the connection ({what.strip()}).",
        "Check the proxy's address, name and password: HTTPS_PROXY is read, in the form "
        "NAME:PASSWORD@HOST:PORT with the scheme http before it.")
