"""A remote on 127.0.0.1: an OpenSSH server with keys of its own, and a connection to it that breaks."""

import contextlib
import getpass
import os
import shutil
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

CONFIG = """
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host
AuthorizedKeysFile {folder}/user.pub
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
Subsystem sftp internal-sftp
"""
PATIENCE = 20  # seconds for the server to answer


class Sshd:
    """An OpenSSH server for this user, on a port that is free, with its keys and log in `folder`."""

    def __init__(self, folder: Path) -> None:
        program = shutil.which("sshd", path=f"{os.environ['PATH']}{os.pathsep}/usr/sbin")
        if program is None:
            if os.environ.get("CI"):
                pytest.fail("no sshd: install openssh-server")
            pytest.skip("no sshd: install openssh-server to test sharing by SSH")
        for name in ("host", "user"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # made by Debian's service, which does not run here
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.folder, self.key = folder, folder / "user"
        (folder / "config").write_text(CONFIG.format(port=self.port, folder=folder))
        with (folder / "log").open("w") as log:
            self.process = subprocess.Popen([program, "-D", "-e", "-f", folder / "config"], stderr=log)
        until = time.monotonic() + PATIENCE
        while not self.answers():
            if time.monotonic() > until or self.process.poll() is not None:
                self.close()
                pytest.fail(f"sshd does not answer:\n{(folder / 'log').read_text()}")
            time.sleep(0.05)

    def answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE) as connection:
                return connection.recv(4) == b"SSH-"
        except ConnectionRefusedError:
            return False

    def url(self, folder: str, port: int | None = None) -> str:
        return f"ssh://{getpass.getuser()}@127.0.0.1:{port or self.port}{self.folder / folder}"

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(PATIENCE)


class BreakingProxy:
    """Passes bytes on to `port`, until `limit` bytes have gone up (`push`) or down (`pull`): then every connection is closed."""

    def __init__(self, port: int, limit: int, direction: str) -> None:
        self.target, self.limit, self.direction = port, limit, direction
        self.passed, self.broken = 0, False
        self.connections: list[socket.socket] = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self) -> None:
        while not self.broken:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self.target))
            self.connections += [client, server]
            for source, sink, direction in ((client, server, "push"), (server, client, "pull")):
                threading.Thread(target=self.pass_on, args=(source, sink, direction), daemon=True).start()

    def pass_on(self, source: socket.socket, sink: socket.socket, direction: str) -> None:
        try:
            while block := source.recv(1 << 14):
                if direction == self.direction:
                    self.passed += len(block)
                    if self.passed > self.limit:
                        self.broken = True
                        self.close()
                sink.sendall(block)
        except OSError:
            pass
        hang_up(source, sink)

    def close(self) -> None:
        hang_up(self.listener, *self.connections)


def hang_up(*connections: socket.socket) -> None:
    for connection in connections:
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
        connection.close()
