"""Apache Kafka's jars: fetched once by Maven, remembered in the user's cache directory."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from modeltrail.errors import UnavailableError

__all__ = ["KAFKA_VERSION", "class_path", "java_command", "why_unavailable"]

KAFKA_VERSION = "4.1.0"
_PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.6.0:build-classpath"
_MINIMAL_JAVA = 17
_MAVEN_SECONDS = 600

# slf4j-simple: Kafka logs through SLF4J and would otherwise say nothing at all when it cannot start.
_POM = """\
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>modeltrail.local</groupId>
  <artifactId>kafka-broker</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>kafka_2.13</artifactId>
      <version>{version}</version>
    </dependency>
    <dependency>
      <groupId>org.slf4j</groupId>
      <artifactId>slf4j-simple</artifactId>
      <version>1.7.36</version>
    </dependency>
  </dependencies>
</project>
"""


def java_command() -> str | None:
    """Return the Java to use: that of JAVA_HOME, else the first on the path, else None."""
    home = os.environ.get("JAVA_HOME")
    if home and os.access(Path(home) / "bin" / "java", os.X_OK):
        return str(Path(home) / "bin" / "java")
    return shutil.which("java")


def why_unavailable(version: str = KAFKA_VERSION) -> str | None:
    """Say in a few words why Apache Kafka cannot be started on this machine; None when it can."""
    java = java_command()
    if java is None:
        return f"Java is not installed (Apache Kafka needs Java {_MINIMAL_JAVA} or newer)"
    said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False)  # noqa: S603
    found = re.search(r'version "(\d+)', said.stderr + said.stdout)
    if found is None or int(found[1]) < _MINIMAL_JAVA:
        shown = found[1] if found else "of an unknown version"
        return f"Java is {shown}, Apache Kafka needs Java {_MINIMAL_JAVA} or newer"
    if _cached(version) is None and shutil.which("mvn") is None:
        return "Maven (mvn) is not installed; it fetches the jars of Apache Kafka"
    return None


def class_path(version: str = KAFKA_VERSION) -> str:
    """Return the class path of Apache Kafka `version`; the first call on a machine runs Maven (about 43 MB).

    Raises UnavailableError when Maven is absent or cannot fetch.
    """
    known = _cached(version)
    if known is not None:
        return known
    maven = shutil.which("mvn")
    if maven is None:
        raise UnavailableError("Maven (mvn) is not installed; it fetches the jars of Apache Kafka")
    home = _cache_directory(version)
    try:
        home.mkdir(parents=True, exist_ok=True)
        pom, fresh = home / f"pom-{os.getpid()}.xml", home / f"classpath-{os.getpid()}.txt"
        pom.write_text(_POM.format(version=version), encoding="utf-8")
    except OSError as error:
        raise UnavailableError(f"the cache directory {home} cannot be written: {error.strerror}") from error
    try:
        _run_maven(maven, pom, fresh)
        fresh.replace(home / "classpath.txt")
    finally:
        pom.unlink(missing_ok=True)
        fresh.unlink(missing_ok=True)
    known = _cached(version)
    if known is None:
        raise UnavailableError(f"Maven reported success, but jars of Apache Kafka {version} are missing")
    return known


def _run_maven(maven: str, pom: Path, output: Path) -> None:
    command = [maven, "-q", "-B", "-f", str(pom), _PLUGIN, f"-Dmdep.outputFile={output}"]
    # Offline first: with the jars already in the local repository this needs no network and no waiting for it.
    try:
        for attempt in ([*command, "-o"], command):
            done = subprocess.run(attempt, capture_output=True, text=True, check=False, timeout=_MAVEN_SECONDS)  # noqa: S603
            if done.returncode == 0:
                return
    except subprocess.TimeoutExpired as error:
        raise UnavailableError(f"Maven did not fetch Apache Kafka within {_MAVEN_SECONDS} s") from error
    said = next((line for line in done.stdout.splitlines() if "ERROR" in line), "it gave no reason")
    raise UnavailableError(f"Maven could not fetch Apache Kafka: {said}")


def _cached(version: str) -> str | None:
    file = _cache_directory(version) / "classpath.txt"
    if not file.is_file():
        return None
    known = file.read_text(encoding="utf-8").strip()
    if known and all(Path(jar).is_file() for jar in known.split(os.pathsep)):
        return known
    return None


def _cache_directory(version: str) -> Path:
    root = os.environ.get("XDG_CACHE_HOME")
    base = Path(root) if root else Path.home() / ".cache"
    return base / "modeltrail" / f"kafka-{version}"
