"""What a case costs a server: the CPU time of its processes, from /proc, around a load."""
import collections
import os
import re
import socket
import ssl
import subprocess
import time

TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def family(pid):
    """The process and all its descendants."""
    children = collections.defaultdict(list)
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat", encoding="utf-8") as stat:
                    parent = int(stat.read().rsplit(")", 1)[1].split()[1])
            except OSError:
                continue
            children[parent].append(int(entry))
    todo, found = [pid], []
    while todo:
        pid = todo.pop()
        found.append(pid)
        todo += children[pid]
    return found


def cpu_seconds(pids):
    """User and system time used so far."""
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICKS_PER_S


def core_busy_seconds(core):
    """What anybody ran on that core so far."""
    with open("/proc/stat", encoding="utf-8") as stat:
        for line in stat:
            key, *values = line.split()
            if key == f"cpu{core}":
                return (sum(map(int, values[:8])) - int(values[3]) - int(values[4])) / TICKS_PER_S
    return 0.0


def private_bytes(pids):
    """What they allocated; memory shared between them counts once. Files, such as libraries, are
    left out: how much of those counts as one's own depends on who else runs them now."""
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/smaps_rollup", encoding="utf-8") as rollup:
            total += sum(map(int, re.findall(r"^Pss_(?:Anon|Shmem):\s+(\d+)", rollup.read(), re.M)))
    return total * 1024


Sample = collections.namedtuple("Sample", "cpu_s_per_gb us_per_request gbps requests_per_s noise")


def load(server, drain, cores, seconds, arguments, object_bytes):
    """One run of the client against `server`; raises RuntimeError when it did not go well."""
    server_core, client_core = cores
    pids = family(server.child.process.pid)
    cpu, busy, start = cpu_seconds(pids), core_busy_seconds(server_core), time.monotonic()
    done = subprocess.run(["taskset", "-c", str(client_core), drain, "-d", str(seconds),
                           *arguments], capture_output=True, text=True, check=False,
                          timeout=seconds * 4 + 20)
    wall = time.monotonic() - start
    cpu = cpu_seconds(pids) - cpu
    noise = max(0.0, core_busy_seconds(server_core) - busy - cpu) / wall
    words = done.stdout.split()
    if done.returncode or len(words) < 6 or int(words[1]) == 0:
        raise RuntimeError((done.stderr or "no answer").strip()[-200:])
    requests, elapsed = int(words[1]), float(words[5])
    gigabytes = requests * object_bytes / 1e9
    return Sample(cpu / gigabytes, cpu / requests * 1e6, gigabytes * 8 / elapsed,
                  requests / elapsed, noise)


def idle_tls_bytes(server, count):
    """User memory per TLS connection that has served one request and waits."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    pids = family(server.child.process.pid)
    before, waiting = private_bytes(pids), []
    try:
        for _ in range(count):
            plain = socket.create_connection(("127.0.0.1", server.ports["tls"]), timeout=10)
            waiting.append(context.wrap_socket(plain))
            waiting[-1].sendall(b"GET /1k.bin HTTP/1.1\r\nHost: localhost\r\n\r\n")
            if not waiting[-1].recv(65536).startswith(b"HTTP/1.1 200"):
                raise RuntimeError("no 200")
        time.sleep(1)
        return (private_bytes(family(server.child.process.pid)) - before) / count
    except OSError as why:
        raise RuntimeError(f"connection {len(waiting)}: {why}") from why
    finally:
        for each in waiting:
            each.close()
