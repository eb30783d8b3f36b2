#!/usr/bin/env python3
"""The rules of the house that a tool can check: lint.py [RULE...].

Each rule is a function that yields complaints 'file:line: text'; none means well. A function
starting with `rule_` is found by its name. A rule whose tool is missing is skipped (77).
"""
import concurrent.futures
import os
import re
import shutil
import subprocess
import sys

ROOMS = {"base": "sg_", "edgecache": "sge_", "dataplane": "sgd_", "controlplane": "sgc_"}
OUTSIDE = {"tools": "sgt_", "tests": "sgt_", "bench": "sgt_"}
RANK = {room: rank for rank, room in enumerate(ROOMS)}
LIBRARIES = re.compile(
    r"<(rte_|liburing|lmdb\.h|openssl/|curl/|urcu|maxminddb|cyaml/|p11-kit/|jansson|cbor|secp256k1|nats|"
    r"nghttp[23]/|ngtcp2/|intel-ipsec-mb|systemd/|sys/capability\.h|libknot/|grpc/|libav)")
LINES_MAX = 800
FUNCTION_LINES_MAX = 70
BYTES_MAX = 200 * 1024


class Skip(Exception):
    """The rule's tool is not on this machine."""


def run(*command, **options):
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


def need(*programs):
    for program in programs:
        if shutil.which(program):
            return program
    raise Skip(f"no {programs[0]} on this machine")


def tracked():
    """The files of the tree, those not yet added included."""
    need("git")
    listing = run("git", "ls-files", "--cached", "--others", "--exclude-standard")
    if listing.returncode:
        raise Skip("not a git checkout")
    return sorted({f for f in listing.stdout.splitlines() if os.path.isfile(f)})


def of_kind(*endings):
    return [f for f in tracked() if f.endswith(endings)]


def text(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def lines(path):
    return enumerate(text(path).splitlines(), 1)


def is_corpus(path):
    return path.startswith("tests/fuzz/corpus/")


def rule_format():
    """C is as clang-format 14 leaves it."""
    tool = need("clang-format-14")
    files = of_kind(".c", ".h")
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        chunks = [files[i:i + 20] for i in range(0, len(files), 20)]
        for done in pool.map(lambda c: run(tool, "--dry-run", "-Werror", *c), chunks):
            for line in done.stderr.splitlines():
                if "error:" in line:
                    yield line + f"; mend with: {tool} -i"


def included(path):
    for number, line in lines(path):
        found = re.match(r'\s*#\s*include\s+(<[^>]+>|"[^"]+")', line)
        if found:
            yield number, found[1]


def layer_fault(room, header):
    """Why a file of `room` may not include the project's `header`, or None."""
    other = header.split("/")[0]
    if other in OUTSIDE:
        return None if room in OUTSIDE else f"nobody includes {other}/"
    if other not in ROOMS or "/" not in header:
        return "name the header from the root: room/module.h"
    if room in OUTSIDE:
        return None
    if RANK[other] > RANK[room]:
        return f"{room} is below {other}"
    if room == "controlplane" and header.startswith("edgecache/content/"):
        return "the control plane meets the cache only in edgecache/state and edgecache/log"
    if "/sys/" in header and other != room and other != "base":
        return f"{header} is {other}'s own door to a library"
    return None


def rule_layering():
    """Rooms include upwards only, and a library has one door."""
    for path in of_kind(".c", ".h"):
        room = path.split("/")[0]
        if room not in ROOMS and room not in OUTSIDE:
            continue
        for number, header in included(path):
            if header[0] == '"':
                fault = layer_fault(room, header.strip('"'))
                if fault:
                    yield f"{path}:{number}: {header}: {fault}"
            elif LIBRARIES.match(header) and "/sys/" not in path and room in ROOMS:
                yield f"{path}:{number}: {header}: only {room}/sys/ includes a library's header"


def library_flags():
    """Include flags of what pkg-config knows here: library headers are not always in /usr/include."""
    flags = []
    for name in ("libdpdk", "libsystemd"):
        found = run("pkg-config", "--cflags", name)
        if found.returncode == 0:
            flags += found.stdout.split()
    return flags


def rule_headers():
    """Each header compiles alone."""
    compiler = need("gcc", "cc")
    flags = library_flags()
    headers = [h for h in of_kind(".h") if "/dpdk/" not in h or any("dpdk" in f for f in flags)]

    def alone(header):
        return header, run(compiler, "-std=gnu17", "-D_GNU_SOURCE", '-DSG_VERSION="0"', "-I.",
                           "-Wall", "-Wextra", "-Wno-unused", "-Werror", "-fsyntax-only", "-x", "c",
                           *flags, "-", input=f'#include "{header}"\n')
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for header, done in pool.map(alone, headers):
            if done.returncode:
                first = [l for l in done.stderr.splitlines() if "error" in l] or [done.stderr]
                yield f"{header}:1: does not compile alone: {first[0]}"


def functions(path):
    """(name, static, first line, last line) of each function of a formatted file."""
    start = name = static = None
    previous = []
    for number, line in lines(path):
        if line == "{":
            head = " ".join(previous)
            found = re.search(r"(\w+)\(", head)
            if found and not re.match(r"(struct|enum|union) \w+ =|static const", head):
                start, name, static = number, found[1], bool(re.search(r"\bstatic\b", head))
        elif line == "}" and start:
            yield name, static, start, number
            start = None
        if not line or line[0] in "}#" or line.rstrip().endswith((";", "*/")):
            previous = []
        else:
            previous.append(line)


def rule_size():
    """No file is over 800 lines; functions over 70 are listed, for a reader's judgement."""
    for path in of_kind(".c", ".h", ".py", ".mjs", ".js"):
        if is_corpus(path):
            continue
        count = text(path).count("\n")
        if count > LINES_MAX:
            yield f"{path}:{LINES_MAX}: {count} lines: look for the second concept in it"
        if path.endswith(".c"):
            for name, _, first, last in functions(path):
                if last - first - 1 > FUNCTION_LINES_MAX:
                    print(f"note: {path}:{first}: {name}() has {last - first - 1} lines")


def declared(path):
    """(line, name) of what a header offers: types, functions, constants."""
    body = text(path)
    undefined = set(re.findall(r"#\s*undef (\w+)", body))
    for number, line in enumerate(body.splitlines(), 1):
        for pattern in (r"(?:struct|enum|union) (\w+)\s*{", r"#\s*define (?!\w+_STATES\(X\))(\w+)",
                        r"[A-Za-z_][\w\s\*]*?\b(\w+)\((?!\*).*[;,)]?$"):
            found = re.match(pattern, line)
            if found and found[1] not in undefined:
                yield number, found[1]
                break


def rule_names():
    """What others can see carries its room's prefix."""
    for path in of_kind(".h", ".c"):
        room = path.split("/")[0]
        prefix = ROOMS.get(room)
        if prefix is None:
            continue
        if path.endswith(".h"):
            offered = declared(path)
        else:
            offered = ((first, name) for name, static, first, _ in functions(path) if not static)
        for number, name in offered:
            if not name.lower().lstrip("_").startswith(prefix) and name != "__attribute__":
                yield f"{path}:{number}: {name}: names of {room}/ begin with {prefix}"


def rule_open_ends():
    """No promise is left open in the tree."""
    words = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|X" + r"XX|HA" + r"CK)\b")
    for path in tracked():
        if is_corpus(path):
            continue
        for number, line in lines(path):
            if words.search(line):
                yield f"{path}:{number}: {line.strip()[:80]}"


HOSTS_FOR_ALL = re.compile(
    r"(.*\.)?(example|test|invalid|localhost|internal|local)$|(.*\.)?example\.(com|org|net)$|"
    r"localhost|127\.|0\.0\.0\.0|192\.0\.2\.|198\.51\.100\.|203\.0\.113\.|www\.w3\.org$|"
    r"www\.rfc-editor\.org$|www\.apache\.org$|httpwg\.org$|datatracker\.ietf\.org$|[^.]*$")


def rule_places():
    """Nothing names the machine that it was written on, a registry or a mirror."""
    paths = re.compile(r"(?<![\w.$}])/(?:tmp/w|work|root|home/\w+|workspace)/")
    for path in tracked():
        if is_corpus(path):
            continue
        for number, line in lines(path):
            if paths.search(line) and not path.startswith("tests/lint/"):
                yield f"{path}:{number}: a path of one machine: {line.strip()[:80]}"
            if path.endswith("package-lock.json"):  # its packages name their homes
                if '"resolved"' in line:
                    yield f"{path}:{number}: a download address in a lock file"
                continue
            for host in re.findall(r"https?://(?:[^/@\s]*@)?([A-Za-z0-9.-]+)", line):
                if not HOSTS_FOR_ALL.match(host.lower().rstrip(".")):
                    yield f"{path}:{number}: the host {host}: use example.org or a name for tests"


def rule_scripts():
    """Shell scripts pass shellcheck, Python compiles."""
    tool = need("shellcheck")
    shells = []
    for path in tracked():
        if is_corpus(path) or path.endswith((".c", ".h", ".md")):
            continue
        with open(path, "rb") as file:
            first = file.readline(80)
        if re.match(rb"#!.*\b(ba|da)?sh\b", first):
            shells.append(path)
        elif re.match(rb"#!.*\bpython3?\b", first) or path.endswith(".py"):
            try:
                compile(text(path), path, "exec")
            except SyntaxError as error:
                yield f"{path}:{error.lineno}: {error.msg}"
    if shells:
        yield from run(tool, "-x", "-f", "gcc", *shells).stdout.splitlines()


def rule_documented():
    """A page that says `<!-- lists PATH -->` names every row of that .def file."""
    for page in of_kind(".md"):
        body = text(page)
        for source in re.findall(r"<!-- lists (\S+) -->", body):
            if not os.path.isfile(source):
                yield f"{page}:1: it lists {source}, which is not there"
                continue
            for number, line in lines(source):
                row = re.match(r"[A-Z_]+\((\w+),", line)
                if row and not re.search(rf"\b{row[1]}\b", body):
                    yield f"{source}:{number}: {row[1]} is not in {page}"


def rule_limits():
    """A row `file` | `NAME` | `value` of docs/limits.md says what the source defines."""
    page = "docs/limits.md"
    for number, line in lines(page):
        row = re.match(r"\| `([^`]+)` \| `(\w+)` \| `([^`]+)` \|", line)
        if not row:
            continue
        define = re.search(rf"^#define {row[2]}(?:\([a-z]+\))?\s+(.*?)\s*(?:/\*.*)?$",
                           text(row[1]) if os.path.isfile(row[1]) else "", re.MULTILINE)
        if define is None:
            yield f"{page}:{number}: {row[1]} defines no {row[2]}"
        elif define[1] != row[3]:
            yield f"{page}:{number}: {row[2]} is {define[1]}"


def rule_links():
    """Links between the pages, and paths in `code` that look like the tree's, lead somewhere."""
    for page in of_kind(".md"):
        for number, line in lines(page):
            for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", line):
                if "://" in target or target.startswith("mailto:"):
                    continue
                if not os.path.exists(os.path.join(os.path.dirname(page), target)):
                    yield f"{page}:{number}: {target} is not there"
            for target in re.findall(r"`([\w.-]+(?:/[\w.-]+)+)`", line):
                room = target.split("/")[0]
                if (room in ROOMS or room in OUTSIDE or room == "docs") and \
                        not os.path.exists(target):
                    yield f"{page}:{number}: {target} is not there"


def rule_threats():
    """A test that docs/security.md names is there."""
    page, tests = "docs/security.md", "".join(
        text(path) for path in of_kind(".c", ".py", ".mjs") if path.startswith("tests/"))
    for number, line in lines(page):
        for name in re.findall(r"`([a-z0-9]+(?:_[a-z0-9]+){3,})`", line):
            if not re.search(rf"\b{name}\(", tests):
                yield f"{page}:{number}: there is no test {name}"


def comments(path):
    """(line, text) of each line of a C file's comments."""
    body = text(path)
    for comment in re.finditer(r"/\*.*?\*/", body, re.DOTALL):
        first = body.count("\n", 0, comment.start()) + 1
        yield from enumerate(comment[0].splitlines(), first)


def rule_comments():
    """What a comment names is in the tree: files, and, in pages too, names with a room's prefix."""
    rooms = "|".join((*ROOMS, *OUTSIDE, "docs"))
    place = re.compile(rf"(?<![\w./-])((?:{rooms})/[\w./-]*\w)(?![\w*\[{{/-])")
    ours = re.compile(r"\b(?:sg[edct]?_|SG[EDCT]?_)\w+\b")
    known = set()
    for path in tracked():
        if not is_corpus(path) and not path.endswith((".md", "package-lock.json")):
            body = text(path)
            if path.endswith((".c", ".h", ".def")):
                body = re.sub(r"/\*.*?\*/", " ", body, flags=re.DOTALL)
            known.update(re.findall(r"\w+", body))
    for path in of_kind(".c", ".h", ".def", ".md"):
        is_page = path.endswith(".md")  # rule_links reads their paths
        for number, line in lines(path) if is_page else comments(path):
            for name in () if is_page else place.findall(line):
                if not any(os.path.exists(name + end) for end in ("", ".c", ".h")):
                    yield f"{path}:{number}: {name} is not there"
            for name in ours.findall(line):
                if name not in known and not (name.endswith("_") and
                                              any(k.startswith(name) for k in known)):
                    yield f"{path}:{number}: nothing is called {name}"


def rule_sorted():
    """Lists of sources and of tests in meson.build, and package lists, are sorted."""
    for path in of_kind("meson.build", ".list"):
        previous = None
        for number, line in lines(path):
            entry = re.match(r"\s*'(\w[\w./-]*)',$", line) if path.endswith("meson.build") else \
                re.match(r"([a-z0-9][\w.+-]*)\s*(#.*)?$", line)
            if entry is None:
                if not line.strip().startswith("#"):
                    previous = None
                continue
            if previous is not None and entry[1] < previous:
                yield f"{path}:{number}: {entry[1]} stands after {previous}"
            previous = entry[1]


def rule_binaries():
    """Nothing large, binary or made by a program is committed."""
    for path in tracked():
        size = os.path.getsize(path)
        if size > BYTES_MAX:
            yield f"{path}:1: {size} bytes"
        with open(path, "rb") as file:
            if b"\0" in file.read(8192) and not is_corpus(path):
                yield f"{path}:1: a binary file"
        if "node_modules/" in path or path.endswith((".o", ".a", ".so", ".pyc", ".pem")):
            yield f"{path}:1: a made file"


def main():
    rules = {name[5:]: rule for name, rule in globals().items() if name.startswith("rule_")}
    asked = sys.argv[1:] or sorted(rules)
    complaints = 0
    for name in asked:
        try:
            for complaint in rules[name]():
                complaints += 1
                print(f"{complaint} [{name}]")
        except Skip as why:
            print(f"skipped: {name}: {why}")
            if len(asked) == 1:
                sys.exit(77)
    sys.exit(1 if complaints else 0)


main()
