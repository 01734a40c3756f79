"""Writes `build/sbom.json`, a CycloneDX 1.6 list of what the locks install: `make sbom`.

The same locks give the same bytes. A package's hashes are those of its files on the index, one for each
system and version of Python; so they stand with its distribution, not with the package.
"""

from __future__ import annotations

import json
import sys
import tomllib
from collections.abc import Iterator
from typing import Any

from docs.build_licences import LOCKS, PROJECT, licences, locked

SCOPES = {"running": "required", "testing": "excluded"}
"""CycloneDX's words; what is excluded is no part of what runs."""
OUT = PROJECT / "build" / "sbom.json"


def components() -> Iterator[dict[str, Any]]:
    """Every locked version: licence, hashes, and for which system it is."""
    for use, lock in LOCKS.items():
        told = licences(lock)
        for one in locked(lock):
            address = f"pkg:pypi/{one.name}@{one.version}"
            hashes = [{"alg": "SHA-256", "content": text} for text in one.hashes]
            yield {
                "type": "library",
                "bom-ref": address,
                "name": one.name,
                "version": one.version,
                "scope": SCOPES[use],
                "licenses": [{"expression": told[one.name]}],
                "purl": address,
                "externalReferences": [{"type": "distribution", "url": address, "hashes": hashes}],
                **({"properties": [{"name": "threadx:marker", "value": one.marker}]} if one.marker else {}),
            }


def sbom() -> str:
    """The whole list, as JSON."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    address = f"pkg:pypi/{project['name']}@{project['version']}"
    about = {
        "type": "application",
        "bom-ref": address,
        "name": project["name"],
        "version": project["version"],
        "licenses": [{"expression": project["license"]}],
        "purl": address,
    }
    told = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": about},
        "components": [*components()],
    }
    return json.dumps(told, indent=1) + "\n"


def main() -> None:
    """Write the file and tell where."""
    try:
        text = sbom()
    except ValueError as error:
        sys.exit(str(error))
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(text, encoding="utf-8", newline="\n")
    sys.stdout.write(f"{OUT.relative_to(PROJECT)}\n")


if __name__ == "__main__":
    main()
