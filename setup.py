"""The shim that lets tools call setuptools; the metadata are in setup.cfg. Builds are reproducible: same sources, same bytes."""

import gzip
import os
import pathlib
import tarfile

from setuptools import setup
from setuptools.command.sdist import sdist

EPOCH = int(os.environ.setdefault("SOURCE_DATE_EPOCH", "1767225600"))
"""Time of everything in what is built, for the wheel as well; 2026-01-01 by default."""
os.umask(0o022)  # the wheel has the modes of its files


class ReproducibleSdist(sdist):
    """Archive whose entries have no trace of when, where and by whom it was made."""

    def make_archive(self, base_name, archive_format, root_dir=None, base_dir=None, owner=None, group=None):
        """Write ``base_name.tar.gz`` from `base_dir`; the arguments are those of distutils, which knows other formats too."""
        if archive_format != "gztar" or root_dir is not None:
            return super().make_archive(base_name, archive_format, root_dir, base_dir, owner, group)
        path = pathlib.Path(f"{base_name}.tar.gz")
        with (
            path.open("wb") as file,
            gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=EPOCH) as zipped,
            tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as archive,
        ):
            for entry in sorted(pathlib.Path(base_dir).rglob("*")):
                archive.add(entry, recursive=False, filter=_anonymous)
        return str(path)


def _anonymous(entry):
    entry.mtime, entry.uid, entry.gid, entry.uname, entry.gname = EPOCH, 0, 0, "", ""
    entry.mode = 0o755 if entry.isdir() or entry.mode & 0o100 else 0o644
    return entry


setup(cmdclass={"sdist": ReproducibleSdist})
