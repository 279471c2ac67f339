"""What is in the program for a target: a list of its packages as CycloneDX has it, and the texts of their licences.

    python3 .ci/dependencies.py TARGET FOLDER
"""

import hashlib
import json
import pathlib
import re
import subprocess
import sys
import tomllib

TEXTS = re.compile(r"(LICEN[CS]E|COPYING|NOTICE|UNLICENSE|COPYRIGHT|AUTHORS)([-._].*)?", re.IGNORECASE)

# What the compiler links besides packages.
RUNTIME = """\
Rust's standard library: MIT or Apache-2.0, copyright the Rust Project contributors (https://github.com/rust-lang/rust).
"""
RUNTIMES = {
    "musl": "musl, the C library: MIT, copyright 2005-2020 Rich Felker and others (https://musl.libc.org).\n"
    "LLVM's libunwind: Apache-2.0 WITH LLVM-exception (https://llvm.org).\n",
    "windows-gnu": "The start of the program from mingw-w64: Zope Public License 2.1 and public domain\n"
    "(https://www.mingw-w64.org). Parts of GCC's libgcc: GPL-3.0 with the GCC Runtime Library Exception.\n",
}


def linked(metadata):
    """The packages whose code is in the program, the program's own first."""
    packages = {package["id"]: package for package in metadata["packages"]}
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    start = next(key for key, package in packages.items() if package["name"] == "topwork-cli")
    found, waiting = {start: packages[start]}, [start]
    while waiting:
        for dependency in nodes[waiting.pop()]["deps"]:
            key = dependency["pkg"]
            normal = any(kind["kind"] is None for kind in dependency["dep_kinds"])
            macro = any("proc-macro" in target["kind"] for target in packages[key]["targets"])
            if normal and not macro and key not in found:
                found[key] = packages[key]
                waiting.append(key)
    program = found.pop(start)
    return program, sorted(found.values(), key=lambda package: (package["name"], package["version"]))


def component(package, checksums):
    name, version = package["name"], package["version"]
    entry = {
        "type": "library",
        "bom-ref": f"pkg:cargo/{name}@{version}",
        "name": name,
        "version": version,
        "purl": f"pkg:cargo/{name}@{version}",
        "licenses": [{"expression": package["license"].replace("/", " OR ")}],
    }
    if checksum := checksums.get((name, version)):
        entry["hashes"] = [{"alg": "SHA-256", "content": checksum}]
    return entry


def texts(package):
    folder = pathlib.Path(package["manifest_path"]).parent
    named = {folder / package["license_file"]} if package["license_file"] else set()
    found = {file for file in folder.iterdir() if file.is_file() and TEXTS.fullmatch(file.name)}
    return sorted(found | {file for file in named if file.is_file()})


def main(target, folder):
    root, folder = pathlib.Path(__file__).parent.parent, pathlib.Path(folder)
    command = ["cargo", "metadata", "--format-version", "1", "--locked", "--filter-platform", target]
    metadata = json.loads(subprocess.run(command, cwd=root, check=True, capture_output=True).stdout)
    program, packages = linked(metadata)
    lock = tomllib.loads((root / "Cargo.lock").read_text("utf-8"))
    checksums = {(entry["name"], entry["version"]): entry.get("checksum") for entry in lock["package"]}

    record = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": component(program, checksums) | {"type": "application", "name": "topwork"}},
        "components": [component(package, checksums) for package in packages],
    }
    (folder / "dependencies.cdx.json").write_text(json.dumps(record, indent=1) + "\n", "utf-8")

    written, lines = {}, ["What is in this program besides topwork, and under which licences.\n", RUNTIME]
    lines += [text for part, text in RUNTIMES.items() if part in target]
    without = []
    for package in packages:
        # topwork's own crates: their licences lie beside the program.
        if package["source"] is None:
            continue
        title = f"{package['name']} {package['version']}"
        lines.append(f"\n{'=' * 80}\n{title}: {package['license']}\n{package['repository'] or ''}\n")
        found = texts(package)
        if not found:
            without.append(title)
            lines.append(f"No text of a licence is in the package. Authors: {', '.join(package['authors']) or 'not named'}\n")
        for file in found:
            text = file.read_text("utf-8", "replace")
            digest = hashlib.sha256(" ".join(text.split()).encode()).digest()
            first = written.setdefault(digest, f"{file.name} of {title}")
            if first == f"{file.name} of {title}":
                lines.append(f"\n--- {file.name}\n\n{text.strip()}\n")
            else:
                lines.append(f"\n--- {file.name}: the same text as {first}\n")
    (folder / "THIRD-PARTY-LICENCES.txt").write_text("\n".join(lines), "utf-8")
    print(f"{len(packages)} packages, {len(without)} of them without a text of their licence: {', '.join(without)}")


if __name__ == "__main__":
    main(*sys.argv[1:])
