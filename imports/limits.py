"""How much one import, and one program, may take of an installation: what an operator sets, as imports know it."""

from dataclasses import dataclass

from base.settings import Settings


@dataclass(frozen=True, slots=True)
class ImportLimits:
    """Of a file that a worker takes in: its bytes once it is unpacked, and the refused rows that are kept of it."""

    unpacked: int = 50 * 1024**3
    refused: int = 1_000_000

    @classmethod
    def of(cls, settings: Settings) -> "ImportLimits":
        """As the operator set them."""
        return cls(unpacked=settings.max_unpacked_bytes, refused=settings.max_refused_rows)


@dataclass(frozen=True, slots=True)
class UploadLimits:
    """Of files that are announced: the bytes of one, and the count and bytes of all of a program that are not done."""

    largest: int = 1024**3
    files: int = 1_000
    bytes: int = 20 * 1024**3

    @classmethod
    def of(cls, settings: Settings) -> "UploadLimits":
        """As the operator set them."""
        return cls(
            largest=settings.max_import_bytes,
            files=settings.max_unfinished_uploads,
            bytes=settings.max_unfinished_bytes,
        )
