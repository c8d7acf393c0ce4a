"""The proxy that the user's environment names for an address."""

from __future__ import annotations

import urllib.request
from urllib.parse import urlsplit


def proxies() -> dict[str, str]:
    """Per scheme the proxy's address; ``ALL_PROXY`` serves where no other is named."""
    named = urllib.request.getproxies()
    if every := named.get("all"):
        return {"http": every, "https": every} | named
    return named


def proxy_of(url: str) -> str:
    """The proxy that an address is reached through, "" where it is reached without."""
    parts = urlsplit(url)
    proxy = proxies().get(parts.scheme, "")
    return "" if urllib.request.proxy_bypass(parts.hostname or "") else proxy


def variable_of(url: str) -> str:
    """The variable that names the proxy for an address."""
    scheme = urlsplit(url).scheme
    return f"{scheme.upper()}_PROXY" if scheme in urllib.request.getproxies() else "ALL_PROXY"


def shown(proxy: str) -> str:
    """A proxy's host and port, without its scheme and without the user's name and password."""
    return proxy.rpartition("://")[2].rpartition("@")[2].rstrip("/")
