"""A real Keycloak on loopback, for tests and the demo: fetched once, started fresh each time.

The distribution comes from Maven Central through Maven itself, is configured once per set of features (``kc.sh build``,
which is most of a first start) and kept in the user's cache. A start runs a private copy with a database in memory.
Source: Keycloak guides, "Configuring Keycloak for production" (``start --optimized``) and "Bootstrapping and recovering
an admin account" (``KC_BOOTSTRAP_ADMIN_CLIENT_ID``).
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Self

import platformdirs
import requests

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import TracebackType

ARTIFACT = "org.keycloak:keycloak-quarkus-dist:{version}:zip"
MINIMUM_JAVA = 17
START_TIMEOUT_SECONDS = 180.0
POLL_SECONDS = 0.2
LOG_TAIL_LINES = 15
JAVA_OPTIONS = "-XX:TieredStopAtLevel=1 -XX:-UseG1GC -XX:+UseSerialGC"
"""Start fast and stay small: a test server lives for minutes."""
HEAP = "-Xms128m -Xmx512m"


class KeycloakStartError(RuntimeError):
    """A real Keycloak could not be fetched, configured or started; the message says which and shows the log's end."""


def missing_prerequisites() -> list[str]:
    """Say what is lacking to start a real Keycloak: one phrase each, none when all is there."""
    missing = []
    version = java_version()
    if version is None:
        missing.append(f"java: not on PATH and no JAVA_HOME (Java {MINIMUM_JAVA} or later is needed)")
    elif version < MINIMUM_JAVA:
        missing.append(f"java: found Java {version}, Java {MINIMUM_JAVA} or later is needed")
    if shutil.which("mvn") is None:
        missing.append("mvn: not on PATH (Maven fetches the distribution)")
    return missing


def java_version() -> int | None:
    """Return the feature release of the Java that Keycloak would use; None when there is none."""
    home = os.environ.get("JAVA_HOME")
    java = str(Path(home) / "bin" / "java") if home else shutil.which("java")
    if java is None or not Path(java).exists():
        return None
    shown = subprocess.run([java, "-version"], capture_output=True, text=True, check=False)  # noqa: S603  (found above)
    match = re.search(r'version "(?:1\.)?(\d+)', shown.stderr + shown.stdout)
    return int(match.group(1)) if match else None


class KeycloakServer:
    """A real Keycloak, started and stopped by ``with``.

    ``features`` are passed on (``client-secret-rotation``). ``port`` 0 takes a free one. The administrator
    ``admin_client_id`` is a service account of the realm ``master`` with every right. ``progress`` is called with one
    line per step, for people who wait. Everything it writes is in a temporary directory that is removed at the end.
    """

    def __init__(
        self,
        version: str = "26.7.5",
        *,
        features: Iterable[str] = (),
        port: int = 0,
        admin_client_id: str = "sandbox-admin",
        admin_client_secret: str = "sandbox-admin-secret",
        progress: Callable[[str], None] | None = None,
        cache: Path | None = None,
    ) -> None:
        self.version = version
        self.features = tuple(sorted(features))
        self.admin_client_id = admin_client_id
        self.admin_client_secret = admin_client_secret
        self.start_seconds = 0.0
        self._port = port
        self._progress = progress or (lambda _line: None)
        self._cache = cache or Path(platformdirs.user_cache_dir("keysteward")) / "keycloak"
        self._home: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Base URL, without a trailing slash."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def distribution(self) -> Path:
        """Where the distribution configured for these features is kept; not there before the first `fetch`."""
        return self._cache / f"{self.version}-{'-'.join(self.features) or 'stock'}"

    def start(self) -> None:
        """Start the server and wait until its administrator can log in; `KeycloakStartError` otherwise."""
        missing = missing_prerequisites()
        if missing:
            raise KeycloakStartError(f"cannot start Keycloak {self.version}: {'; '.join(missing)}")
        built = self.fetch()
        self._home = Path(tempfile.mkdtemp(prefix="keysteward-keycloak-"))
        try:
            home = self._home / "keycloak"
            shutil.copytree(built, home, copy_function=_link_or_copy, symlinks=True)
            self._launch(home)
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop the server and remove what it wrote. May be repeated."""
        process, self._process = self._process, None
        if process is not None:
            _end_group(process)
        if self._home is not None:
            shutil.rmtree(self._home, ignore_errors=True)
            self._home = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def fetch(self) -> Path:
        """Return the distribution configured for these features, made at first use; `KeycloakStartError` otherwise."""
        built = self.distribution
        if built.is_dir():
            return built
        self._cache.mkdir(parents=True, exist_ok=True)
        archive = self._archive()
        with tempfile.TemporaryDirectory(dir=self._cache, prefix="building-") as workspace:
            self._progress(f"Unpacking and configuring Keycloak {self.version}")
            with zipfile.ZipFile(archive) as packed:
                packed.extractall(workspace)
            home = next(path for path in Path(workspace).iterdir() if path.is_dir())
            script = home / "bin" / "kc.sh"
            script.chmod(0o755)
            command = [str(script), "build", "--db=dev-mem"]
            if self.features:
                command.append(f"--features={','.join(self.features)}")
            self._run(command, "configure")
            try:
                home.rename(built)
            except OSError:
                if not built.is_dir():
                    raise
        return built

    def _archive(self) -> Path:
        archive = self._cache / f"keycloak-quarkus-dist-{self.version}.zip"
        if not archive.exists():
            self._progress(f"Fetching Keycloak {self.version} from Maven Central (about 170 MB, once)")
            with tempfile.TemporaryDirectory(dir=self._cache, prefix="fetching-") as target:
                artifact = ARTIFACT.format(version=self.version)
                options = [f"-Dartifact={artifact}", f"-DoutputDirectory={target}"]
                self._run(["mvn", "-B", "-q", "dependency:copy", *options], "fetch")
                (Path(target) / archive.name).rename(archive)
        return archive

    def _run(self, command: list[str], step: str) -> None:
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=self._environment())  # noqa: S603  (fixed words and a version)
        if done.returncode != 0:
            text = _tail(done.stdout + done.stderr)
            raise KeycloakStartError(f"could not {step} Keycloak {self.version}: {command[0]} failed\n{text}")

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("KC_")}
        return kept | {"JAVA_OPTS_KC_HEAP": HEAP, "JAVA_OPTS_APPEND": JAVA_OPTIONS}

    def _launch(self, home: Path) -> None:
        self._port = self._port or _free_port()
        self._progress(f"Starting Keycloak {self.version} on port {self._port}")
        administrator = {
            "KC_BOOTSTRAP_ADMIN_CLIENT_ID": self.admin_client_id,
            "KC_BOOTSTRAP_ADMIN_CLIENT_SECRET": self.admin_client_secret,
        }
        options = ["--http-enabled=true", "--hostname-strict=false", "--cache=local"]
        address = ["--http-host=127.0.0.1", f"--http-port={self._port}"]
        with self._log().open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603  (the distribution's own script)
                [str(home / "bin" / "kc.sh"), "start", "--optimized", *options, *address],
                env=self._environment() | administrator,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _log(self) -> Path:
        if self._home is None:
            raise RuntimeError("not started: use the server in a `with` block")
        return self._home / "server.log"

    def _wait_until_ready(self) -> None:
        began = time.monotonic()
        while not self._administrator_can_log_in():
            waited = time.monotonic() - began
            ended = self._process is None or self._process.poll() is not None
            if ended or waited > START_TIMEOUT_SECONDS:
                reason = "it ended" if ended else f"not ready after {START_TIMEOUT_SECONDS:.0f} s"
                text = _tail(self._log().read_text(errors="replace"))
                raise KeycloakStartError(f"could not start Keycloak {self.version}: {reason}\n{text}")
            time.sleep(POLL_SECONDS)
        self.start_seconds = time.monotonic() - began
        self._progress(f"Keycloak {self.version} is ready at {self.url} after {self.start_seconds:.0f} s")

    def _administrator_can_log_in(self) -> bool:
        form = {
            "grant_type": "client_credentials",
            "client_id": self.admin_client_id,
            "client_secret": self.admin_client_secret,
        }
        try:
            answer = requests.post(
                f"{self.url}/realms/master/protocol/openid-connect/token", data=form, timeout=START_TIMEOUT_SECONDS
            )
        except requests.ConnectionError:
            return False
        return answer.ok


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port


def _link_or_copy(source: str, target: str) -> str:
    """Link a file of the cache into a private copy; copy it where links do not reach."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
    return target


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """End a process and its children, by the group it leads: at once, for all it has is in memory and thrown away."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _tail(text: str) -> str:
    return "\n".join(text.splitlines()[-LOG_TAIL_LINES:])
