"""Providers of object stores: what their URLs and variables mean.

S3 and what speaks its language, Google Cloud Storage, Azure Blob Storage. Where no credentials are set, those of the
machine are used: the role of an EC2 instance, of an ECS task or of a Kubernetes service account, and what GCP and Azure
have in their place. ``~/.aws`` is not read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from ...errors import ConfigError
from ..extras import import_extra
from .storage import is_key

Env = Mapping[str, str]


@dataclass(frozen=True)
class Provider:
    """A kind of object store."""

    #: class of ``obstore.store``
    client: str
    #: its word for a bucket
    bucket: str
    #: option of the library -> the variables it is taken from; the first that is set counts
    variables: Mapping[str, tuple[str, ...]]
    #: which of these options is the address of the endpoint
    endpoint: str
    #: variables that are named when credentials are refused or missing
    credentials: str
    #: variable that is named when the region is wrong
    region: str
    #: options that are always set
    fixed: Mapping[str, str]


def _named(prefix: str, *options: str) -> dict[str, tuple[str, ...]]:
    """Return options whose variable has the same name, in capitals and with a prefix."""
    return {f"{prefix}_{option}".lower(): (f"{prefix}_{option}".upper(),) for option in options}


#: Scheme of the URL -> what is behind it.
PROVIDERS = {
    "s3": Provider(
        client="S3Store",
        bucket="bucket",
        variables={
            "aws_endpoint": ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"),
            "aws_region": ("AWS_REGION", "AWS_DEFAULT_REGION"),
            **_named("aws", "access_key_id", "secret_access_key", "session_token", "skip_signature"),
            **_named("aws", "virtual_hosted_style_request", "request_payer", "metadata_endpoint"),
            **_named("aws", "web_identity_token_file", "role_arn", "role_session_name"),
            **_named("aws", "container_credentials_relative_uri", "container_credentials_full_uri"),
            **_named("aws", "container_authorization_token_file"),
            **_named("aws", "server_side_encryption", "sse_kms_key_id", "sse_bucket_key_enabled"),
        },
        endpoint="aws_endpoint",
        credentials="AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        region="AWS_REGION",
        # Not every store that speaks S3 can remove many objects at once, which is how the library removes one.
        fixed={"disable_bulk_delete": "true"},
    ),
    "gs": Provider(
        client="GCSStore",
        bucket="bucket",
        variables={
            "google_service_account": ("GOOGLE_SERVICE_ACCOUNT", "GOOGLE_SERVICE_ACCOUNT_PATH"),
            **_named("google", "service_account_key", "application_credentials", "base_url", "skip_signature"),
        },
        endpoint="google_base_url",
        credentials="GOOGLE_APPLICATION_CREDENTIALS",
        region="GOOGLE_BASE_URL",
        fixed={},
    ),
    "az": Provider(
        client="AzureStore",
        bucket="container",
        variables={
            "azure_storage_account_key": ("AZURE_STORAGE_ACCOUNT_KEY", "AZURE_STORAGE_ACCESS_KEY"),
            "azure_storage_sas_token": ("AZURE_STORAGE_SAS_TOKEN", "AZURE_STORAGE_SAS_KEY"),
            "azure_storage_endpoint": ("AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT"),
            **_named("azure", "storage_account_name", "storage_use_emulator", "skip_signature"),
            **_named("azure", "client_id", "client_secret", "tenant_id", "authority_host"),
            **_named("azure", "federated_token_file", "msi_endpoint", "identity_endpoint"),
        },
        endpoint="azure_storage_endpoint",
        credentials="AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
        region="AZURE_STORAGE_ENDPOINT",
        fixed={},
    ),
}

#: The number of characters in the name of a bucket or container, with each provider.
BUCKET_LENGTHS = range(3, 64)

_BUCKET = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
_ENDPOINT = re.compile(r"(?i:https?)://[^\s/?#@]+(/[^\s?#@]*)?")


@dataclass(frozen=True, repr=False)
class Location:
    """A prefix in a bucket of a provider, and how to get there."""

    scheme: str
    bucket: str
    #: without slashes at its ends; empty: all of the bucket
    prefix: str
    options: Mapping[str, str]

    @property
    def provider(self) -> Provider:
        return PROVIDERS[self.scheme]

    @property
    def endpoint(self) -> str:
        """The address of its endpoint, if one is set."""
        return self.options.get(self.provider.endpoint, "")

    def __str__(self) -> str:
        at = f" at {self.endpoint}" if self.endpoint else ""
        return f"{self.scheme}://{'/'.join(filter(None, (self.bucket, self.prefix)))}{at}"

    def connect(self, *, client: Mapping[str, object], retry: Mapping[str, object]) -> Any:
        """Make a store of the library. Nothing is connected yet.

        :raises ConfigError: the variables contradict each other.
        :raises ExtraError: the library is not installed.
        """
        stores = import_extra("obstore.store", f"SINCHFN_STORAGE_URL={self.scheme}:")
        allow_http = self.endpoint.lower().startswith("http:") or "azure_storage_use_emulator" in self.options
        try:
            return getattr(stores, self.provider.client)(
                self.bucket,
                prefix=self.prefix or None,
                config={**self.options, **self.provider.fixed},
                client_options={**client, "allow_http": allow_http},
                retry_config=dict(retry),
            )
        except Exception as error:  # the library has one class for nearly all that it refuses
            raise ConfigError(f"SINCHFN_STORAGE_URL={self.scheme}: cannot be used: {self._fault(error)}") from None

    def _fault(self, error: Exception) -> str:
        """Say what is wrong, without the value, which may be a secret."""
        missing = re.match(r"Generic \w+ error: (Missing \w+|Account must be specified)\n", f"{error}\n")
        if missing:
            return f"{missing[1]}. Set {self.provider.credentials}."
        variables = [name for option in self.options for name in self.provider.variables[option]]
        return f"one of these variables has an invalid value: {', '.join(variables)}."


def locate(scheme: str, place: str, env: Env) -> Location:
    """Return the location of the URL ``scheme:place`` with these variables.

    :raises ConfigError: the bucket or prefix is invalid, or an endpoint is not a URL.
    """
    provider = PROVIDERS[scheme]
    bucket, _, prefix = place.removeprefix("//").partition("/")
    prefix = prefix.strip("/")
    if place.startswith("//") and _BUCKET.fullmatch(bucket) and (prefix == "" or is_key(prefix)):
        if len(bucket) not in BUCKET_LENGTHS:
            raise ConfigError(
                f"SINCHFN_STORAGE_URL={scheme}://{bucket:.70}: the name of a {provider.bucket} has 3 to 63 characters, "
                f"and this one has {len(bucket)}."
            )
        return Location(scheme, bucket, prefix, _options(provider, env))
    if "@" in place:
        raise ConfigError(
            f"SINCHFN_STORAGE_URL={scheme}: has credentials in it, which others can read. Set {provider.credentials}, "
            f"and write {scheme}://{provider.bucket}/prefix."
        )
    raise ConfigError(
        f"SINCHFN_STORAGE_URL={scheme}:{place} does not name a {provider.bucket}: "
        f"it takes {scheme}://{provider.bucket} or {scheme}://{provider.bucket}/prefix."
    )


def _options(provider: Provider, env: Env) -> dict[str, str]:
    options = {}
    for option, names in provider.variables.items():
        name = next((name for name in names if env.get(name)), None)
        if name is not None:
            options[option] = env[name]
            if option == provider.endpoint:
                options[option] = env[name].rstrip("/")
                try:
                    is_endpoint = _ENDPOINT.fullmatch(env[name]) is not None and urlsplit(env[name]).port != 0
                except ValueError:  # an invalid port
                    is_endpoint = False
                if not is_endpoint:
                    raise ConfigError(f"{name} is not an endpoint: it takes a URL such as http://127.0.0.1:9000.")
    return options


def check_storage_url(url: str, env: Env) -> None:
    """Check ``SINCHFN_STORAGE_URL``, and that an endpoint among the variables is a URL.

    The other variables are checked when the storage is opened.

    :param env: variables, among them those of an object store; see :mod:`.providers`.
    :raises ConfigError: the message says what is wrong, and what to write instead. Never with a secret.
    """
    read_url(url, env)


def read_url(url: str, env: Env) -> tuple[str, str | Location]:
    """Return the scheme of a URL, and its place: a folder, or the location in an object store.

    :raises ConfigError: the URL is invalid.
    """
    scheme, _, place = url.partition(":")
    if scheme in PROVIDERS:
        return scheme, locate(scheme, place, env)
    if scheme == "file":
        return scheme, _folder(place)
    if scheme != "memory":
        raise ConfigError(
            f"SINCHFN_STORAGE_URL={scheme}: is not a storage: it takes file, {', '.join(PROVIDERS)}, memory."
        )
    if place.strip("/"):
        raise ConfigError("SINCHFN_STORAGE_URL=memory: takes nothing more: write memory: alone.")
    return scheme, ""


def _folder(place: str) -> str:
    path = place
    if place.startswith("//"):
        host, slash, rest = place[2:].partition("/")
        if host not in ("", "localhost"):
            raise ConfigError(
                f"SINCHFN_STORAGE_URL=file: names a host, {host.rpartition('@')[2]}. "
                "A folder beside the function is file:storage, any other is file:/path/of/the/folder."
            )
        path = slash + rest
    if not path or "\0" in path:
        raise ConfigError(
            f"SINCHFN_STORAGE_URL=file:{place} does not name a folder: it takes file:storage or file:/path."
        )
    return path
