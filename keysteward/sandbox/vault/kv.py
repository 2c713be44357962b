"""The KV secrets engine, version 2: versions of documents, and metadata that outlives them.

Source: Vault and OpenBao API documentation, "KV secrets engine - version 2"; every status and message as seen on
OpenBao 2.5.5.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from keysteward.sandbox.vault import replies

KEPT_VERSIONS = 10
"""Versions kept when neither mount nor entry says how many (``max_versions`` 0)."""
CUSTOM_METADATA_KEYS = 64
CUSTOM_METADATA_KEY_LENGTH = 128
CUSTOM_METADATA_VALUE_LENGTH = 512
CAS_MISMATCH = "check-and-set parameter did not match the current version"
CAS_MISSING = "check-and-set parameter required for this call"


@dataclass
class Version:
    """One version of a document."""

    created: datetime
    data: dict[str, Any] | None
    deletion: datetime | None = None
    destroyed: bool = False

    def readable(self, now: datetime) -> bool:
        """Say whether its data may be read."""
        return not self.destroyed and (self.deletion is None or self.deletion > now)

    def describe(self) -> dict[str, Any]:
        """Return times and state, as metadata lists them."""
        return {
            "created_time": replies.timestamp(self.created),
            "deletion_time": replies.timestamp(self.deletion),
            "destroyed": self.destroyed,
        }


@dataclass
class Settings:
    """What a mount and an entry both can set; an entry's zero means the mount's value."""

    max_versions: int = 0
    cas_required: bool = False
    delete_version_after: int = 0

    def write(self, document: dict[str, Any]) -> None:
        """Set what the document names."""
        if document.get("max_versions") is not None:
            self.max_versions = _integer("max_versions", document["max_versions"])
        if document.get("cas_required") is not None:
            self.cas_required = bool(document["cas_required"])
        if document.get("delete_version_after") is not None:
            self.delete_version_after = replies.seconds(document["delete_version_after"])

    def describe(self) -> dict[str, Any]:
        """Return the settings as they are shown."""
        return {
            "max_versions": self.max_versions,
            "cas_required": self.cas_required,
            "delete_version_after": replies.duration_text(self.delete_version_after),
        }


@dataclass
class Entry:
    """A path of the engine: its versions and its metadata."""

    created: datetime
    updated: datetime
    settings: Settings = field(default_factory=Settings)
    current: int = 0
    oldest: int = 0
    versions: dict[int, Version] = field(default_factory=dict)
    custom_metadata: dict[str, str] | None = None

    def describe(self) -> dict[str, Any]:
        """Return the metadata document."""
        return {
            **self.settings.describe(),
            "created_time": replies.timestamp(self.created),
            "updated_time": replies.timestamp(self.updated),
            "current_version": self.current,
            "oldest_version": self.oldest,
            "custom_metadata": self.custom_metadata,
            "versions": {str(number): version.describe() for number, version in self.versions.items()},
        }


@dataclass
class KvMount:
    """One mount of the engine."""

    settings: Settings = field(default_factory=Settings)
    entries: dict[str, Entry] = field(default_factory=dict)

    def entry(self, path: str, now: datetime) -> Entry:
        """Return the entry at this path, made when there is none."""
        return self.entries.setdefault(path, Entry(now, now))

    def write(self, path: str, document: dict[str, Any], now: datetime) -> dict[str, Any]:
        """Write a new version; the check-and-set parameter, where given or required, must name the current one."""
        if path.endswith("/") or not path:
            raise replies.bad_request("cannot write to a path ending in '/'")
        if "data" not in document:
            raise replies.bad_request("no data provided")
        data = document["data"]
        if data is not None and not isinstance(data, dict):
            raise replies.bad_request(_unconvertible("data", "map[string]interface {}", data))
        present = self.entries.get(path)
        self._check_and_set(present, document.get("options") or {})
        entry = self.entry(path, now)
        lifetime = entry.settings.delete_version_after or self.settings.delete_version_after
        version = Version(now, copy.deepcopy(data), now + timedelta(seconds=lifetime) if lifetime else None)
        entry.current += 1
        entry.updated = now
        entry.versions[entry.current] = version
        kept = entry.settings.max_versions or self.settings.max_versions or KEPT_VERSIONS
        for number in [number for number in entry.versions if number <= entry.current - kept]:
            del entry.versions[number]
            entry.oldest = number + 1
        return self._about(entry, entry.current)

    def _check_and_set(self, entry: Entry | None, options: dict[str, Any]) -> None:
        required = self.settings.cas_required or (entry is not None and entry.settings.cas_required)
        if "cas" not in options:
            if required:
                raise replies.bad_request(CAS_MISSING)
            return
        try:
            wanted = int(options["cas"])
        except (TypeError, ValueError):
            raise replies.bad_request("error parsing check-and-set parameter") from None
        if wanted != (entry.current if entry else 0):
            raise replies.bad_request(CAS_MISMATCH)

    def _about(self, entry: Entry, number: int) -> dict[str, Any]:
        return {**entry.versions[number].describe(), "version": number, "custom_metadata": entry.custom_metadata}

    def read(self, path: str, number: int, now: datetime) -> tuple[dict[str, Any], bool]:
        """Return document and metadata of a version (0: the current one), and whether the document can be read."""
        entry = self.entries.get(path)
        version = entry.versions.get(number or entry.current) if entry else None
        if entry is None or version is None:
            raise replies.not_found()
        readable = version.readable(now)
        document = {"data": version.data if readable else None, "metadata": self._about(entry, number or entry.current)}
        return document, readable

    def patch(self, path: str, document: dict[str, Any], now: datetime) -> dict[str, Any] | None:
        """Write a version made of the current one and a merge patch (RFC 7396); None when there is nothing to patch."""
        entry = self.entries.get(path)
        current = entry.versions.get(entry.current) if entry else None
        if current is None or not current.readable(now):
            return None
        merged = merge(current.data or {}, document.get("data") or {})
        return self.write(path, {"data": merged, "options": document.get("options")}, now)

    def delete(self, path: str, numbers: list[int] | None, now: datetime) -> None:
        """Mark versions as deleted (None: the current one); what is not there is passed over."""
        entry = self.entries.get(path)
        for version in self._chosen(entry, numbers):
            if version.readable(now):
                version.deletion = now

    def undelete(self, path: str, numbers: list[int]) -> None:
        """Make deleted versions readable again, unless destroyed."""
        for version in self._chosen(self.entries.get(path), numbers):
            if not version.destroyed:
                version.deletion = None

    def destroy(self, path: str, numbers: list[int]) -> None:
        """Remove the data of versions for good."""
        for version in self._chosen(self.entries.get(path), numbers):
            version.destroyed, version.data = True, None

    def _chosen(self, entry: Entry | None, numbers: list[int] | None) -> list[Version]:
        if entry is None:
            return []
        wanted = [entry.current] if numbers is None else numbers
        return [entry.versions[number] for number in wanted if number in entry.versions]

    def keys(self, folder: str) -> list[str]:
        """Return the children of a folder: names, and names of folders with a slash behind."""
        prefix = f"{folder.strip('/')}/" if folder.strip("/") else ""
        below = (path.removeprefix(prefix) for path in self.entries if path.startswith(prefix))
        return sorted({name.partition("/")[0] + ("/" if "/" in name else "") for name in below})

    def write_metadata(self, path: str, document: dict[str, Any], now: datetime, *, patch: bool) -> None:
        """Set metadata; ``custom_metadata`` is replaced whole, or merged by a patch."""
        entry = self.entries.get(path) or Entry(now, now)
        settings = copy.copy(entry.settings)
        settings.write(document)
        sent = document.get("custom_metadata")
        if sent is not None and not isinstance(sent, dict):
            raise replies.bad_request(_unconvertible("custom_metadata", "map[string]interface {}", sent))
        if sent is not None:
            wanted = merge(entry.custom_metadata or {}, sent) if patch else sent
            entry.custom_metadata = checked_custom_metadata(wanted)
        entry.settings, entry.updated = settings, now
        self.entries[path] = entry


def merge(target: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    """Apply a JSON merge patch (RFC 7396)."""
    result = copy.deepcopy(target)
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        elif isinstance(value, dict):
            present = result.get(name)
            result[name] = merge(present if isinstance(present, dict) else {}, value)
        else:
            result[name] = value
    return result


def checked_custom_metadata(sent: dict[str, Any]) -> dict[str, str]:
    """Return custom metadata as text; what is too much, too long or unprintable is refused with 400."""
    if len(sent) > CUSTOM_METADATA_KEYS:
        raise _invalid(f"payload must contain at most {CUSTOM_METADATA_KEYS} keys, provided {len(sent)}")
    for name, value in sent.items():
        if isinstance(value, (dict, list)):
            text = f"custom_metadata validation failed: {_unconvertible_type('string', value)}"
            raise replies.bad_request(text)
        if not 0 < len(name) <= CUSTOM_METADATA_KEY_LENGTH:
            limit = f"0 < len(key) <= {CUSTOM_METADATA_KEY_LENGTH}"
            raise _invalid(f'length of key "{name}" is {len(name)} but must be {limit}')
        if not 0 < len(str(value)) <= CUSTOM_METADATA_VALUE_LENGTH:
            limit = f"0 < len(value) <= {CUSTOM_METADATA_VALUE_LENGTH}"
            raise _invalid(f'length of value for key "{name}" is {len(str(value))} but must be {limit}')
        if not name.isprintable():
            raise _invalid(f'key "{name}" contains unprintable characters')
        if not str(value).isprintable():
            raise _invalid(f'value for key "{name}" contains unprintable characters')
    return {name: str(value) for name, value in sent.items()}


def _invalid(reason: str) -> replies.Refusal:
    return replies.bad_request(f"1 error occurred:\n\t* custom_metadata validation failed: {reason}\n\n")


def _integer(name: str, value: object) -> int:
    try:
        return int(str(value))
    except ValueError:
        reason = "'' cannot parse value as 'int': strconv.ParseInt: invalid syntax"
        raise replies.bad_request(f'error converting input for field "{name}": {reason}') from None


def _unconvertible(name: str, expected: str, value: object) -> str:
    return f'error converting input for field "{name}": {_unconvertible_type(expected, value)}'


def _unconvertible_type(expected: str, value: object) -> str:
    found = {"dict": "map[string]interface {}", "list": "[]interface {}"}.get(type(value).__name__, "string")
    return f"'' expected type '{expected}', got unconvertible type '{found}'"
