"""The ``sinchfn sign`` command: print a curl command that carries a valid signature."""

from __future__ import annotations

import shlex
from typing import Any
from urllib.parse import urlsplit

import click

from ..app.startup import folder_ahead
from ..config.config import FunctionConfig, load_config
from ..function.loading import default_source
from ..function.names import CALLBACKS
from ..security.application import ApplicationScheme
from ..security.table import SCHEMES, scheme_at
from ..wire.json import loads

#: The address where gunicorn and ``sinchfn dev`` listen by default.
LOCAL = "http://127.0.0.1:8000"

#: The signed endpoints, for messages.
SIGNED = "the root, the callbacks, " + ", ".join(
    f"/webhook/{name}" for name in ("conversation", "sms", "elevenlabs", "elevenlabs-init")
)


@click.command()
@click.argument("payload", type=click.File("rb"))
@click.option("--url", help=f"URL to call; default: {LOCAL}, or SINCHFN_PUBLIC_URL with --public.")
@click.option("--public", is_flag=True, help="Call SINCHFN_PUBLIC_URL instead of this machine.")
@click.option("--function", "source", help="The function whose settings are used; default as for `dev`.")
def sign(payload: Any, url: str | None, public: bool, source: str | None) -> None:
    """Print a curl command that posts PAYLOAD with a valid signature.

    PAYLOAD is a JSON file with a call event, or - for standard input. Key and secret are VOICE_APPLICATION_KEY and
    VOICE_APPLICATION_SECRET, from the environment or the function's .env. With the --url of a webhook, such as
    http://127.0.0.1:8000/webhook/conversation, the payload is signed as the sender of that webhook signs it. The
    signature is valid for SINCHFN_WEBHOOK_TOLERANCE, five minutes by default (ElevenLabs: half an hour).
    """
    body = payload.read()
    folder = folder_ahead(source or default_source())
    if source and not folder.is_dir():
        raise click.UsageError(f"There is no folder {folder}.")
    config = load_config(folder)
    target = url or (config["SINCHFN_PUBLIC_URL"] if public else LOCAL)
    if not target:
        raise click.UsageError("--public needs SINCHFN_PUBLIC_URL to be set.")
    headers = signed_headers(target, body, config)
    data = f"@{payload.name}" if payload.name != "<stdin>" else body.decode("utf-8", "replace")
    parts = ["curl", "-sS", target, *(f"-H{name}: {value}" for name, value in headers.items()), "--data-binary", data]
    click.echo(" ".join(shlex.quote(part) for part in parts))


def signed_headers(target: str, body: bytes, config: FunctionConfig) -> dict[str, str]:
    """Return the headers of a POST of ``body`` to the URL ``target``, signed by the scheme of its path."""
    path = urlsplit(target).path
    if "/webhook/" in path and scheme_at(path) is None:
        raise click.UsageError(f"{path} is not a signed endpoint. Signed endpoints: {SIGNED}.")
    row = SCHEMES[scheme_at(path) or "application"]
    for variable in row.variables:
        config.require_secret(variable)
    scheme = row.make(config)
    if not isinstance(scheme, ApplicationScheme):
        return {"content-type": "application/json", **scheme.headers(body)}
    _warn_unless_callback(body, path)
    # A server that knows its public URL expects that URL's path to be signed, whatever URL is called.
    base = urlsplit(config["SINCHFN_PUBLIC_URL"] or "").path
    signed_path = path or "/"
    if base and signed_path != base and not signed_path.startswith(f"{base}/"):
        signed_path = base + signed_path if signed_path != "/" else base
    return scheme.headers("POST", signed_path, "application/json", body)


def _warn_unless_callback(body: bytes, path: str) -> None:
    try:
        event = loads(body).get("event")
    except (ValueError, AttributeError):
        click.secho("The payload is not a JSON object; the function will answer 400.", err=True, fg="yellow")
        return
    if str(event).lower() not in CALLBACKS and scheme_at(path) is None:
        click.secho(
            f'The payload\'s "event" is not one of {", ".join(CALLBACKS)}: sent to {path or "/"}, it is not '
            f"a callback. Add one, or give --url with the path of the callback, such as --url {LOCAL}/ice",
            err=True,
            fg="yellow",
        )
