"""Stands in for systemd's descriptor store: keeps what a service gives it, and passes it to the next
process of the service, which it starts at each SIGUSR1 after the one before has ended."""

import os
import signal
import socket
import subprocess
import sys

path, program = sys.argv[1], sys.argv[2:]
store = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
store.bind(path)
store.settimeout(0.1)
kept = {}
restarts = []
signal.signal(signal.SIGUSR1, lambda *_: restarts.append(1))


def start():
    descriptors = list(kept.values())
    environment = dict(os.environ, NOTIFY_SOCKET=path)
    if descriptors:
        environment["LISTEN_FDS"] = str(len(descriptors))
        environment["LISTEN_FDNAMES"] = ":".join(kept)

    def pass_on():
        for number, descriptor in enumerate(descriptors, 3):
            os.dup2(descriptor, number)

    shell = ["/bin/sh", "-c", 'export LISTEN_PID=$$; exec "$0" "$@"', *program]
    return subprocess.Popen(shell, env=environment, preexec_fn=pass_on, close_fds=False)


service = start()
while service.poll() is None:
    try:
        text, descriptors, _, _ = socket.recv_fds(store, 4096, 8)
        lines = dict(line.split("=", 1) for line in text.decode().splitlines() if "=" in line)
        if "FDSTOREREMOVE" in lines:
            kept.pop(lines["FDNAME"], None)
        if "FDSTORE" in lines:
            kept[lines["FDNAME"]] = descriptors[0]
            print("kept", lines["FDNAME"], flush=True)
    except TimeoutError:
        pass
    if restarts:
        restarts.clear()
        service.terminate()
        service.wait()
        service = start()
