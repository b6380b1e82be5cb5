"""Warm Python: what tests start as `python -m MODULE` or `dvc` begins with its libraries loaded, and is done sooner.

Most of the time of a stage of a small pipeline goes into loading pandas, and of `dvc` into loading itself. So a server
loads them once, nothing of this repository among them, and for each such command forks a process of its own, with the
arguments, folder, environment and files of the caller. The commands in the folder `tools()` are clients of it.
"""

import array
import atexit
import gc
import json
import os
import runpy
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
from functools import cache
from importlib import import_module
from pathlib import Path

LIBRARIES = (
    "pandas", "pyarrow.parquet", "pydantic", "yaml", "jinja2", "typer", "filelock", "sklearn.linear_model",
    "sklearn.feature_extraction.text", "sklearn.cluster", "sklearn.model_selection", "scipy.spatial.distance",
    "matplotlib.backends.backend_agg", "matplotlib.figure", "dvc.cli", "dvc.repo", "dvc.repo.experiments",
    "dvc.repo.reproduce", "dvc.commands.repro", "dvc.stage.cache", "dvc.fs", "dvc_data.hashfile", "ruamel.yaml",
)  # fmt: skip

CLIENT = """#!{python} -IS
import array, json, os, signal, socket, sys
server = socket.socket(socket.AF_UNIX)
server.connect({address!r})
arguments = {first!r} + sys.argv[1:]
message = json.dumps([arguments, os.getcwd(), dict(os.environ)]).encode()
server.sendmsg([len(message).to_bytes(8, "big")], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0, 1, 2]))])
server.sendall(message)
with server.makefile() as answers:
    process = int(answers.readline())
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: os.killpg(process, number))
    code = int(answers.readline() or 1)
if code < 0:
    signal.signal(-code, signal.SIG_DFL)
    os.kill(os.getpid(), -code)
sys.exit(code)
"""


@cache
def tools() -> Path:
    """The folder of `python` and `dvc`, clients of a server that ends with this process."""
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    address = str(folder / "socket")
    server = subprocess.Popen(
        [sys.executable, __file__, address], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=folder
    )
    atexit.register(server.kill)
    assert server.stdout.readline() == b"ready\n"
    clients = folder / "bin"
    clients.mkdir()
    for name, first in {"python": [], "dvc": ["-m", "dvc"]}.items():
        file = clients / name
        file.write_text(CLIENT.format(python=sys.executable, address=address, first=first))
        file.chmod(0o755)
    return clients


def serve(address: str) -> None:
    """Answer until standard input ends. Returns in each process that is to run a command."""
    for library in LIBRARIES:
        import_module(library)
    gc.freeze()  # what is loaded stays, and is not looked through again by each process
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those who look after a command
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address)
    listener.listen(64)
    os.write(1, b"ready\n")
    while listener in select.select([listener, 0], [], [])[0]:
        caller, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            return look_after(caller)
        caller.close()
    os._exit(0)


def look_after(caller: socket.socket) -> None:
    """Return in a process of the caller's, which is to run its command, and tell the caller how that ends.

    Where the caller is gone before, the process is killed.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    handles = array.array("i")
    head, ancillary, *_ = caller.recvmsg(8, socket.CMSG_SPACE(3 * handles.itemsize))
    handles.frombytes(ancillary[0][2])
    message = caller.recv(int.from_bytes(head, "big"), socket.MSG_WAITALL)
    ends, alive = os.pipe()
    process = os.fork()
    if process:
        os.close(alive)
        for handle in handles:
            os.close(handle)
        os.setpgid(process, process)
        caller.sendall(f"{process}\n".encode())
        if caller in select.select([ends, caller], [], [])[0]:
            os.killpg(process, signal.SIGKILL)
        code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        try:
            caller.sendall(f"{code}\n".encode())
        finally:
            os._exit(0)
    os.setpgid(0, 0)
    caller.close()
    arguments, here, environment = json.loads(message)
    for number, handle in enumerate(handles):
        os.dup2(handle, number)
        os.close(handle)
    os.chdir(here)
    os.environ.clear()
    os.environ.update(environment)
    sys.stdin, sys.stdout, sys.stderr = (
        os.fdopen(number, mode, buffering, "utf-8", errors, closefd=False)
        for number, mode, errors, buffering in ((0, "r", None, -1), (1, "w", None, -1), (2, "w", "backslashreplace", 1))
    )
    sys.argv[:] = arguments


def run(module: str) -> int:
    """Run a module as `python -m` does, and return its exit code."""
    sys.path[0] = os.getcwd()
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as done:
        if done.code is None or isinstance(done.code, int):
            return done.code or 0
        print(done.code, file=sys.stderr)
        return 1
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    serve(sys.argv[1])
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if sys.argv[0] != "-m":
        os.execv(sys.executable, [sys.executable, *sys.argv])
    code = run(sys.argv.pop(1))
    atexit._run_exitfuncs()
    sys.stdout.flush()
    os._exit(code)  # to take down all that is loaded would take as long as a stage
