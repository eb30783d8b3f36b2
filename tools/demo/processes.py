"""Processes of a demonstration: started with a log file, ended by their own pid."""
import os
import signal
import socket
import subprocess
import time


class Failed(Exception):
    """Something did not come up; the text says what to do."""


def tail(path, lines=15):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return "".join(file.readlines()[-lines:])
    except OSError:
        return ""


def port_is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def ports_from(first, count):
    """`count` neighbouring free ports, from `first` on."""
    for start in range(first, first + 400, count):
        ports = list(range(start, start + count))
        if all(port_is_free(port) for port in ports):
            return ports
    raise Failed(f"no {count} free ports from {first} on: give another with --port")


# Waits until the writing end of its input is closed, as the kernel does when its owner is killed,
# and ends the process group that it is told. (PR_SET_PDEATHSIG would not do: who gives root up
# loses it.)
GUARD = 'read -r never; kill -TERM "-$1"; sleep 2; kill -KILL "-$1"'


def answers(port):
    """Whether HTTP is spoken there. A node listens sooner: as root still, and before its state is
    there, which nobody else must make for it."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as probe:
            probe.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            return bool(probe.recv(1))
    except OSError:
        return False


class Child:
    """A server of ours: ready when its port answers, or dead with the end of its log. It does not
    outlive us, however we end."""

    def __init__(self, name, command, log, port, seconds=15):
        self.name, self.log = name, log
        with open(log, "wb") as out:
            self.process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT,
                                            stdin=subprocess.DEVNULL, start_new_session=True)
        self.guard = subprocess.Popen(["sh", "-c", GUARD, "guard", str(self.process.pid)],
                                      stdin=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                      start_new_session=True)
        try:
            self.wait_until_ready(port, seconds)
        except BaseException:  # a signal too: nothing is left running
            self.stop()
            raise

    def wait_until_ready(self, port, seconds):
        deadline = time.monotonic() + seconds
        while True:
            if self.process.poll() is not None:
                raise Failed(f"{self.name} ended at once ({self.process.returncode}):\n"
                             f"{tail(self.log)}")
            if answers(port):
                return
            if time.monotonic() > deadline:
                raise Failed(f"{self.name} does not answer on port {port}:\n{tail(self.log)}")
            time.sleep(0.02)

    def stop(self, seconds=5):
        """Ends it and what it started: it leads its own process group."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                pass
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.guard.kill()
        self.guard.wait()
        self.guard.stdin.close()
        self.process.wait()
