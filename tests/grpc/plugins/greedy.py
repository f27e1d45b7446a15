"""A processor that does what the type of a message says, all of it beyond what a plugin may."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time

from cdpplugin import Message, processor, serve

HELD = []


def allocate(megabytes):
    HELD.extend(bytearray(b"x") * (1 << 20) for _ in range(megabytes))
    return len(HELD)


def python(code):
    return subprocess.Popen([sys.executable, "-I", "-S", "-c", code])


def spin(seconds):
    """Keep two processes busy, so that a share beyond one core would show."""
    busy = [python("while True: pass") for _ in range(2)]
    time.sleep(seconds)
    for each in busy:
        each.kill()
        each.wait()


def read(path):
    with open(path) as file:
        return file.read()


def write(path):
    with open(path, "w") as file:
        file.write("written")
    return path


def make_temporary(text):
    with tempfile.NamedTemporaryFile("w", delete=False) as file:
        file.write(text)
    return [file.name, read(file.name)]


def connect(address):
    with socket.create_connection(address, 5) as peer:
        peer.sendall(b"hello")
    return "sent"


def listen(port):
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", int(os.environ["PLUGIN_PORT"]) if port is None else port))
        listener.listen()
        return "listens"


BOMB = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
while True:
    try:
        if os.fork() == 0:
            os.setsid()
    except OSError:
        time.sleep(0.001)
"""


def bomb(_):
    """Start a process that starts others without end, each in a session of its own."""
    return python(BOMB).pid


def open_files(_):
    held = []
    try:
        while True:
            held.append(open(os.devnull))  # noqa: SIM115
    except OSError as error:
        return [error.errno, len(held)]
    finally:
        for file in held:
            file.close()


def end_host(_):
    os.kill(os.getppid(), signal.SIGTERM)


def can_gain_privileges(_):
    return not ctypes.CDLL(None).prctl(39, 0, 0, 0, 0)  # PR_GET_NO_NEW_PRIVS


def run(command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


WORDS = {
    "Allocate": allocate,
    "Spin": spin,
    "Read": read,
    "Write": write,
    "Temporary": make_temporary,
    "Connect": connect,
    "Listen": listen,
    "Bomb": bomb,
    "Open": open_files,
    "End": end_host,
    "Privileges": can_gain_privileges,
    "Run": run,
}


@processor("raw", "1.0.0")
def greedy(message):
    return Message(type="Done", payload=WORDS[message.type](message.payload))


if __name__ == "__main__":
    if "at-start" in sys.argv:
        allocate(1000)
    serve(greedy)
