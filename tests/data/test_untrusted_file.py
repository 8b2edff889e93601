"""What lies in a run directory is read only where a measured process can have made it, and nothing there is waited for."""

import os
import pathlib
import signal
import socket
import stat
import tempfile
from collections.abc import Callable, Iterator

import pytest

from footfall.errors import FootfallError
from footfall.record.data.coverage_tables import read_coverage
from footfall.record.run.process_logs import read_sample_logs
from footfall.record.run.record_file import read_record
from footfall.record.run.untrusted_file import read_recorded_file
from marked import check_marks, write_program

READERS = [".rec", ".smp", ".vmprof"]


@pytest.fixture(autouse=True)
def no_endless_wait() -> Iterator[None]:
    """A reader that waits for a pipe's other end would wait for ever."""

    def stop(*_: object) -> None:
        raise TimeoutError("it waits")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def make_socket(path: pathlib.Path) -> None:
    """Leave the name of a socket."""
    here = os.open(".", os.O_RDONLY)
    os.chdir(path.parent)  # a socket's name must be short
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
    finally:
        os.fchdir(here)
        os.close(here)


def make_hard_link(path: pathlib.Path) -> None:
    """Give another file a second name."""
    other = path.with_name("other")
    other.write_bytes(b"")
    os.link(other, path)


def make_link(path: pathlib.Path) -> None:
    """Link to a regular, readable file."""
    other = path.with_name("other")
    other.write_bytes(b"")
    path.symlink_to(other)


PLANTED: dict[str, Callable[[pathlib.Path], object]] = {
    "pipe": os.mkfifo,
    "socket": make_socket,
    "symbolic link": make_link,
    "link to nothing": lambda path: path.symlink_to("nothing"),
    "link to a device": lambda path: path.symlink_to("/dev/zero"),
    "hard link": make_hard_link,
    "directory": pathlib.Path.mkdir,
}


def slug_of(path: pathlib.Path) -> str:
    """What a run would say of a file."""
    if path.suffix != ".rec":
        messages: list[tuple[str, str]] = []
        assert read_sample_logs(str(path.parent), messages) == []
        ((slug, sentence),) = messages
        assert str(path) in sentence
        return slug
    with pytest.raises(FootfallError) as caught:
        read_record(str(path))
    return caught.value.slug


@pytest.mark.parametrize("suffix", READERS)
@pytest.mark.parametrize("plant", PLANTED.values(), ids=PLANTED.keys())
def test_other_kinds_of_files_are_refused(tmp_path: pathlib.Path, plant, suffix: str) -> None:
    """Pipes, sockets, links and directories with the name of a record are left out at once."""
    plant(tmp_path / f"1-0{suffix}")
    assert slug_of(tmp_path / f"1-0{suffix}") == "record-refused"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may do so")
def test_devices_and_files_of_others_are_refused(tmp_path: pathlib.Path) -> None:
    """A device is; another user's file is where that user cannot have made it, and is not where root let others in."""
    tmp_path.chmod(0o755)
    path = tmp_path / "1-0.rec"
    try:
        os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 5))
    except PermissionError:
        pass  # a container without that right: nobody in it can plant one either
    else:
        assert slug_of(path) == "record-refused"
        path.unlink()
    path.write_bytes(b"its")
    os.chown(path, 65534, 65534)
    assert slug_of(path) == "record-refused"
    tmp_path.chmod(0o1777)
    assert read_recorded_file(str(path)) == b"its"


def test_what_others_can_cut_off_is_not_mapped(tmp_path: pathlib.Path) -> None:
    """The content is still whole when the file has become shorter meanwhile: reading a mapping would be a SIGBUS."""
    path = tmp_path / "1-0.rec"
    path.write_bytes(b"x" * 100_000)
    path.chmod(0o666)
    content = read_recorded_file(str(path))
    os.truncate(path, 0)
    assert content == b"x" * 100_000


@pytest.mark.any_python
def test_a_tampered_run_directory(footfall, tmp_path: pathlib.Path) -> None:
    """A program that puts odd files into its run directory gets its results, and each is named."""
    text = """
        import os
        run = os.environ["FOOTFALL_RUN"]
        os.mkfifo(run + "/1-0.rec")
        os.mkfifo(run + "/1-0.smp")
        os.symlink("/dev/zero", run + "/2-0.rec")
        os.symlink("/dev/zero", run + "/2-0.vmprof")
        os.mkdir(run + "/3-0.rec")
    """
    write_program(tmp_path / "main.py", text)
    done = footfall("run", "-q", "main.py")
    assert done.returncode == 0
    assert done.stderr.count("[record-refused]") == 5, done.stderr
    check_marks(tmp_path, read_coverage(tmp_path / ".coverage"))


@pytest.mark.any_python
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may do so")
def test_links_in_a_shared_directory_give_no_rights(footfall) -> None:
    """What a user put where root let others in keeps its permissions when root lets others in again."""
    text = """
        import os, sys
        run = os.environ["FOOTFALL_RUN"]
        name = run + "/" + str(os.getpid())
        pid = os.fork()
        if pid == 0:  # both
            os.setuid(65534)
            os.symlink(sys.argv[1], name + "-link.rec")
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0
        os.link(sys.argv[1], name + "-hard.rec")  # as it can be made where the system does not protect them
        os.seteuid(65534)
        os.seteuid(0)
        assert os.stat(run).st_mode & 0o7777 == 0o1777
        own = [entry.name for entry in os.scandir(run) if entry.stat().st_mode & 0o777 == 0o666]
        assert len(own) >= 1 and not any("link" in entry or "hard" in entry for entry in own), own
    """
    with tempfile.TemporaryDirectory() as folder:  # pytest's own directories are closed to other users
        os.chmod(folder, 0o755)
        secret = pathlib.Path(folder) / "secret"
        secret.write_text("of root\n")
        secret.chmod(0o600)
        write_program(pathlib.Path(folder) / "main.py", text)
        done = footfall("run", "-q", "main.py", secret, cwd=folder)
        assert done.returncode == 0, done.stderr
        assert done.stderr.count("[record-refused]") == 2, done.stderr
        assert stat.S_IMODE(secret.stat().st_mode) == 0o600
